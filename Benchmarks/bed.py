"""What the benchmarks run against: a private PostgreSQL, an OIDC provider, the gateway, and the peers beside it."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
GATEHOUSE = os.environ.get("GATEHOUSE_BINARY", str(ROOT / ".build/release/gatehouse"))
SCALE = int(os.environ.get("GATEHOUSE_BENCH_SCALE", "20"))
USER, PASSWORD = "bench", "bench-password"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"bench: {process.args[0]} ended with {process.returncode}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise SystemExit(f"bench: nothing listens on port {port}")


class Endpoint:
    """A way to the database: libpq's environment variables."""

    def __init__(self, name, port, tls, user=USER, password=PASSWORD, database="bench"):
        self.name = name
        self.environment = {
            "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": user, "PGPASSWORD": password, "PGDATABASE": database,
            "PGSSLMODE": "require" if tls else "disable", "PSQLRC": "/dev/null", "PGPASSFILE": "/dev/null"}

    def run(self, *arguments, **options):
        return subprocess.run(arguments, env=os.environ | self.environment, check=True, text=True, capture_output=True, **options)


class Bed:
    """Starts each part when it is first asked for, and ends all of them."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-bench."))
        self.directory.chmod(0o711)
        self.processes = []
        self.cleanups = []
        self.parts = {}

    def part(self, name, make):
        if name not in self.parts:
            self.parts[name] = make()
        return self.parts[name]

    def close(self):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for cleanup in reversed(self.cleanups):
            cleanup()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self, name, *arguments, environment=None, **options):
        log = open(self.directory / f"{name}.log", "wb")
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(
            arguments, stdout=log, stderr=log, env=os.environ | (environment or {}), start_new_session=True, **options)
        self.processes.append(process)
        return process

    # The server: no statement log, and room for every session of the idle figure.
    def server(self):
        return self.part("server", self.make_server)

    def make_server(self):
        directory = self.directory / "postgres"
        settings = ["log_statement=none", "max_connections=2200", "shared_buffers=512MB", "max_wal_size=4GB", "jit=off"]
        report = subprocess.run(
            [ROOT / "scripts/private-postgres", "start", directory, *settings], check=True, text=True, capture_output=True).stdout
        self.cleanups.append(lambda: subprocess.run([ROOT / "scripts/private-postgres", "stop", directory], check=False))
        facts = dict(line.split("=", 1) for line in report.splitlines())
        admin = Endpoint("admin", facts["port"], False, "postgres", (directory / "password").read_text().strip(), "postgres")
        admin.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", input=f"""
            CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}';
            CREATE DATABASE bench OWNER {USER};
        """)
        direct = Endpoint("direct", facts["port"], False)
        print(f"# pgbench -i at scale {SCALE}", file=sys.stderr)
        direct.run("pgbench", "-i", "-q", "-s", str(SCALE), "-I", "dtGvp")
        direct.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", input="""
            CREATE TABLE documents AS SELECT n AS id, repeat(md5(n::text), 31) AS body FROM generate_series(1, 205000) AS n;
            CREATE TABLE digests AS SELECT n AS id, encode(sha256(n::text::bytea), 'hex') AS digest FROM generate_series(1, 3000000) AS n;
            VACUUM ANALYZE documents, digests;
        """)
        return facts

    def direct(self, tls):
        return Endpoint("direct", self.server()["port"], tls)

    # The peers: session pooling, and a plain byte relay.
    def pgbouncer(self, tls):
        return self.part(f"pgbouncer {tls}", lambda: self.make_pgbouncer(tls))

    def make_pgbouncer(self, tls):
        server, port = self.server(), free_port()
        directory = self.directory / f"pgbouncer-{'tls' if tls else 'plain'}"
        directory.mkdir()
        (directory / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        lines = [
            "[databases]", f"bench = host=127.0.0.1 port={server['port']} dbname=bench", "[pgbouncer]", "listen_addr = 127.0.0.1",
            f"listen_port = {port}", "unix_socket_dir =", "pool_mode = session", "auth_type = scram-sha-256",
            f"auth_file = {directory}/users", "max_client_conn = 3000", "default_pool_size = 100", "log_connections = 0",
            "log_disconnections = 0", "ignore_startup_parameters = extra_float_digits"]
        if tls:
            certificates = self.certificates(directory)
            lines += [
                "client_tls_sslmode = require", f"client_tls_key_file = {certificates}/key.pem",
                f"client_tls_cert_file = {certificates}/cert.pem", "server_tls_sslmode = verify-full",
                f"server_tls_ca_file = {server['ca']}"]
        else:
            lines += ["server_tls_sslmode = disable"]
        (directory / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        arguments = ["pgbouncer", "-q", str(directory / "pgbouncer.ini")]
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", "postgres", directory], check=True)
            arguments[1:1] = ["-u", "postgres"]
        wait_for_port(port, self.start(f"pgbouncer-{tls}", *arguments))
        return Endpoint("pgbouncer", port, tls)

    def certificates(self, directory):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-keyout", directory / "key.pem", "-out", directory / "cert.pem"], check=True, stderr=subprocess.DEVNULL)
        return directory

    def haproxy(self, tls):
        # A TCP relay: with TLS it passes the client's own through to the server, and so encrypts nothing itself.
        return Endpoint("haproxy", self.part("haproxy", self.make_haproxy), tls)

    def make_haproxy(self):
        port = free_port()
        configuration = self.directory / "haproxy.cfg"
        configuration.write_text(f"""
global
    nbthread 2
    maxconn 5000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen postgres
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{self.server()['port']}
""")
        wait_for_port(port, self.start("haproxy", "haproxy", "-db", "-f", str(configuration)))
        return port

    # The gateway, with identity, rules and full recording on.
    def provider(self):
        return self.part("provider", self.make_provider)

    def make_provider(self):
        process = subprocess.Popen(
            [sys.executable, ROOT / "Tests/Support/glewlwyd.py", self.directory / "provider"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.processes.append(process)
        for line in process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit("bench: the OIDC provider did not start")

    def bucket(self):
        """A real S3 server, and the configuration of a store in it."""
        return self.part("bucket", self.make_bucket)

    def make_bucket(self):
        process = subprocess.Popen(
            [sys.executable, ROOT / "Tests/Support/stores.py", "rclone"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            start_new_session=True)
        self.processes.append(process)
        server = json.loads(process.stdout.readline())
        secret = self.directory / "bucket-secret"
        secret.touch(0o600)
        secret.write_text(server["secretKey"])
        return (f"store: {{ s3: {{ bucket: evidence, endpoint: \"{server['endpoint']}\", access_key_id: {server['accessKey']}, "
                f"secret_access_key_file: {secret} }} }}")

    def gatehouse(self, tls, sealed=True, bucket=False):
        return self.part(f"gatehouse {tls} {sealed} {bucket}", lambda: self.make_gatehouse(tls, sealed, bucket))

    def make_gatehouse(self, tls, sealed, bucket):
        server, provider = self.server(), self.provider()
        port, admin = free_port(), free_port()
        name = f"gatehouse-{'tls' if tls else 'plain'}{'' if sealed else '-unsealed'}{'-bucket' if bucket else ''}"
        configuration = self.directory / f"{name}.yaml"
        upstream = f"{{ mode: verify-full, ca_file: {server['ca']} }}" if tls else "{ mode: disable }"
        configuration.write_text(f"""
node: bench
data_directory: {self.directory}/{name}
log: {{ format: text, level: warning }}
recording: {{ sealed: {'true' if sealed else 'false'} }}
{self.bucket() if bucket else ''}
admin:
  listen: 127.0.0.1:{admin}
issuers:
  - issuer: {provider['issuer']}
    audiences: [{provider['client']}]
    claims: {{ user: email, groups: groups }}
listeners:
  - name: postgres
    protocol: postgres
    listen: 127.0.0.1:{port}
    plaintext: {'refuse' if tls else 'loopback'}
targets:
  - name: bench
    protocol: postgres
    address: localhost:{server['port']}
    database: bench
    labels: {{ env: production }}
    tls: {upstream}
    durability: written
    default: deny
    roles:
      - name: {USER}
        user: {USER}
        password: ${{env:GATEHOUSE_BENCH_PASSWORD}}
access:
  - groups: [dba]
    targets: [bench]
    roles: [{USER}]
rules:
  - id: no-drop
    priority: 10
    what: {{ kinds: [drop, truncate] }}
    effect: deny
  - id: no-unbounded-writes
    what: {{ missing_where: true }}
    effect: deny
  - id: no-server-files
    what: {{ functions: [pg_read_file, pg_ls_dir, "lo_*", "dblink*"] }}
    effect: deny
  - id: no-programs
    what: {{ copy_program: true }}
    effect: deny
  - id: reads
    what:
      kinds: [select, copy.to, transaction, set, reset, show, execute, prepare]
      tables: ["public.*", "pg_catalog.*"]
    effect: allow
  - id: session
    what: {{ kinds: [transaction, set, reset, show, discard, deallocate] }}
    effect: allow
masks:
  - id: nothing-here
    columns: [public.customers.ssn]
    strategy: redact
  - id: one-of-four
    columns: [public.four_masked.masked_two]
    strategy: hash
limits:
  sessions_per_principal: 5000
""")
        configuration.chmod(0o600)
        process = self.start(name, GATEHOUSE, "serve", "--config", str(configuration), environment={"GATEHOUSE_BENCH_PASSWORD": PASSWORD})
        self.wait_until_ready(admin, process, name)
        endpoint = Endpoint("bucket" if bucket else "gatehouse" if sealed else "unsealed", port, tls, "bench", provider["users"]["alice"]["id_token"])
        endpoint.pid = process.pid
        endpoint.port = port
        endpoint.data = self.directory / name
        return endpoint

    def wait_until_ready(self, admin, process, name):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=2):
                    return
            time.sleep(0.05)
        sys.stderr.write((self.directory / f"{name}.log").read_text()[-4000:])
        raise SystemExit("bench: the gateway is not ready")
