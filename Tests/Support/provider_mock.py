#!/usr/bin/env python3
"""Runs oidc-provider-mock (a second, independent OIDC provider) on loopback, until SIGTERM or until the process that
started it is gone.

Once it answers it prints one line of JSON: {"issuer": ..., "client": ..., "users": {"dave": {"id_token": ...}}}
The ID token was got by the code flow; its groups are an array.
"""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

CLIENT, CALLBACK = "gw", "http://127.0.0.1:8091/callback"
DAVE = {"sub": "dave", "email": "dave@example.com", "groups": ["contractors"]}


def post(port, path, form):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, urllib.parse.urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    return answer, answer.read()


def wait_until_up(server, port):
    for _ in range(600):
        if server.poll() is not None:
            sys.exit("oidc-provider-mock ended")
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
    sys.exit("oidc-provider-mock does not answer")


def id_token(port):
    query = {"client_id": CLIENT, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid email", "state": "s"}
    answer, _ = post(port, "/oauth2/authorize?" + urllib.parse.urlencode(query), {"sub": "dave"})
    location = urllib.parse.urlsplit(answer.headers["location"])
    code = urllib.parse.parse_qs(location.query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": CLIENT, "client_secret": "any"}
    _, body = post(port, "/oauth2/token", form)
    return json.loads(body)["id_token"]


def main():
    parent = os.getppid()
    # A parent's worker thread may have blocked every signal, and masks are inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--user-claims", json.dumps(DAVE)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        wait_until_up(server, port)
        users = {"dave": {"id_token": id_token(port)}}
        print(json.dumps({"issuer": f"http://127.0.0.1:{port}", "client": CLIENT, "users": users}), flush=True)
        while os.getppid() == parent:
            time.sleep(0.5)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
