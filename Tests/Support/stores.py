#!/usr/bin/env python3
"""Runs an S3 server on loopback, until SIGTERM or until the process that started it is gone.

usage: stores.py rclone|rclone-tls|moto

rclone      `rclone serve s3`, which checks signatures; plain HTTP, buckets in the path
rclone-tls  the same with a certificate of an authority of its own, buckets in the host's name (below localhost)
moto        keeps versions and object lock; checks no signatures

Once it answers it prints one line of JSON: {"endpoint": ..., "authority": a file or null, "accessKey": ..., "secretKey": ...}
Its buckets: `evidence`; of moto also `versions` (keeps versions) and `locked` (has object lock).
"""
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

ACCESS_KEY = "AKIATESTTESTTESTTEST"


def certificates(directory):
    """An authority, and a certificate of it; the paths of the authority's certificate, the server's and its key."""

    def openssl(*arguments):
        subprocess.run(("openssl",) + arguments, check=True, cwd=directory, capture_output=True)

    subject = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    openssl("req", "-x509", *subject, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=store authority", "-days", "2")
    openssl("req", *subject, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    with open(os.path.join(directory, "names"), "w") as file:
        file.write("subjectAltName=DNS:localhost,DNS:*.localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem",
            "-days", "2", "-extfile", "names")  # fmt: skip
    return [os.path.join(directory, name) for name in ("ca.pem", "server.pem", "server.key")]


def rclone(directory, secret, tls):
    data = os.path.join(directory, "data")
    os.makedirs(os.path.join(data, "evidence"))
    command = [os.path.join(os.path.dirname(sys.executable), "rclone"), "serve", "s3", "--addr", "127.0.0.1:0", data]
    authority = None
    if tls:
        authority, certificate, key = certificates(directory)
        command += ["--cert", certificate, "--key", key, "--force-path-style=false"]
    environment = dict(os.environ, RCLONE_CONFIG=os.path.join(directory, "none"), RCLONE_AUTH_KEY=f'"{ACCESS_KEY},{secret}"')
    log = os.path.join(directory, "log")
    with open(log, "w") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)

    def port():
        with open(log) as file:
            found = re.search(r"Starting s3 server on \[https?://127\.0\.0\.1:(\d+)/", file.read())
        return int(found.group(1)) if found else None

    return server, port, "https://localhost" if tls else "http://127.0.0.1", authority


def moto(directory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(number)]
    with open(os.path.join(directory, "log"), "w") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def port():
        try:
            socket.create_connection(("127.0.0.1", number), timeout=1).close()
            return number
        except OSError:
            return None

    return server, port, "http://127.0.0.1", None


def make_moto_buckets(endpoint, secret):
    import boto3

    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=secret, region_name="us-east-1")  # fmt: skip
    client.create_bucket(Bucket="evidence")
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)


def main():
    kind = sys.argv[1]
    parent = os.getppid()
    # A parent's worker thread may have blocked every signal, and masks are inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    secret = secrets.token_hex(20)
    with tempfile.TemporaryDirectory(prefix="gatehouse-store-") as directory:
        server, port, host, authority = moto(directory) if kind == "moto" else rclone(directory, secret, kind == "rclone-tls")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            for _ in range(1200):
                if server.poll() is not None:
                    sys.exit(f"{kind} ended: " + open(os.path.join(directory, "log")).read()[-400:])
                if port():
                    break
                time.sleep(0.05)
            endpoint = f"{host}:{port()}"
            if kind == "moto":
                make_moto_buckets(endpoint, secret)
            description = {"endpoint": endpoint, "authority": authority, "accessKey": ACCESS_KEY, "secretKey": secret}
            print(json.dumps(description), flush=True)
            while os.getppid() == parent and server.poll() is None:
                time.sleep(0.5)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
