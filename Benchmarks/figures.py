"""The figures of the PostgreSQL gateway. Peers are measured in turns (A B C, A B C, ...) and compared by medians, so that a
noisy minute hits all of them alike.
"""
import contextlib
import os
import pathlib
import re
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

from bed import GATEHOUSE, Bed

SECONDS = int(os.environ.get("GATEHOUSE_BENCH_SECONDS", "5"))
ROUNDS = int(os.environ.get("GATEHOUSE_BENCH_ROUNDS", "3"))


def note(text):
    """What stands behind a figure; not a figure."""
    print(f"# {text}", file=sys.stderr, flush=True)


class Report:
    def __init__(self, only):
        self.only = only

    def wants(self, *names):
        return any(name.startswith(self.only) or self.only.startswith(name) for name in names)

    def figure(self, name, value, unit, want):
        if name.startswith(self.only):
            print(f"bench {name} {value:.4g} {unit} want {want}", flush=True)


def pgbench(endpoint, *arguments):
    output = endpoint.run("pgbench", "-n", "-S", "-T", str(SECONDS), *arguments).stdout
    found = re.search(r"tps = ([0-9.]+) \(without", output)
    if not found or "number of failed transactions: 0" not in output:
        raise SystemExit(f"bench: pgbench through {endpoint.name}:\n{output}")
    return float(found.group(1))


def in_turns(endpoints, measure, rounds=ROUNDS):
    results = {endpoint.name: [] for endpoint in endpoints}
    for _ in range(rounds):
        for endpoint in endpoints:
            results[endpoint.name].append(measure(endpoint))
    return results


def judging(bed, report):
    """The policy engine alone, under a thousand rules. Needs nothing of the bed."""
    name = "policy.judge.1000-rules"
    if not report.wants(name):
        return
    runs = [subprocess.run([GATEHOUSE, "policy", "bench", "--rules", "1000"], capture_output=True, text=True, check=True) for _ in range(max(ROUNDS, 3))]
    report.figure(name, statistics.median(float(run.stdout) for run in runs), "us", "<=5")


def detectors(bed, report):
    """All detectors over rows of text, something in one of a hundred, on one core. Needs nothing of the bed."""
    name = "masking.detectors"
    if not report.wants(name):
        return
    runs = [
        subprocess.run(
            ["taskset", "-c", "0", GATEHOUSE, "detectors", "bench", "--megabytes", "256", "--every", "100"], capture_output=True, text=True, check=True)
        for _ in range(max(ROUNDS, 3))
    ]
    note(f"{name}: {runs[-1].stderr.strip().lstrip('# ')}")
    report.figure(name, statistics.median(float(run.stdout) for run in runs), "MB/s", ">=250")


def lineage(bed, report):
    """Where the columns of a query of two kilobytes come from, found anew each time. Needs nothing of the bed."""
    name = "masking.lineage"
    if not report.wants(name):
        return
    runs = [subprocess.run([GATEHOUSE, "policy", "bench", "--lineage"], capture_output=True, text=True, check=True) for _ in range(max(ROUNDS, 3))]
    report.figure(name, statistics.median(float(run.stdout) for run in runs), "us", "<=1000")


def throughput(bed, report):
    """16 clients of pgbench -S against a session pooler and a TCP relay."""
    bounds = {"prepared": ">=0.80", "simple": ">=0.65"}
    for tls in (False, True):
        for mode, bound in bounds.items():
            name = f"postgres.select.{mode}{'.tls' if tls else ''}"
            if not report.wants(name):
                continue
            peers = [bed.direct(tls), bed.pgbouncer(tls), bed.haproxy(tls), bed.gatehouse(tls)]
            results = in_turns(peers, lambda peer: pgbench(peer, "-M", mode, "-c", "16", "-j", "2"))
            median = {peer: statistics.median(values) for peer, values in results.items()}
            note(f"{name}: " + ", ".join(f"{peer} {value:.0f} tps" for peer, value in median.items()))
            report.figure(f"{name}.vs-pgbouncer", median["gatehouse"] / median["pgbouncer"], "x", bound)
            # The relay looks at nothing; told beside, without a bound of its own.
            report.figure(f"{name}.vs-haproxy", median["gatehouse"] / median["haproxy"], "x", ">=0")


def median_latency(endpoint):
    """Microseconds a transaction, from pgbench's own log of every one."""
    with tempfile.TemporaryDirectory() as directory:
        endpoint.run("pgbench", "-n", "-S", "-M", "prepared", "-c", "1", "-T", str(SECONDS), "--log", f"--log-prefix={directory}/log")
        latencies = [int(line.split()[2]) for path in pathlib.Path(directory).iterdir() for line in path.open()]
    return statistics.median(latencies)


def latency(bed, report):
    name = "postgres.latency.added"
    if not report.wants(name):
        return
    results = in_turns([bed.direct(False), bed.pgbouncer(False), bed.gatehouse(False)], median_latency)
    median = {peer: statistics.median(values) for peer, values in results.items()}
    note(f"{name}: " + ", ".join(f"{peer} {value:.0f} us" for peer, value in median.items()))
    report.figure(name, median["gatehouse"] - median["direct"], "us", "<=40")


def copy_seconds(endpoint):
    started = time.monotonic()
    endpoint.run("psql", "-X", "-q", "-o", "/dev/null", "-c", "COPY documents TO STDOUT")
    return time.monotonic() - started


def copy(bed, report):
    """COPY of 200 MB out of a table."""
    name = "postgres.copy.vs-direct"
    if not report.wants(name):
        return
    results = in_turns([bed.direct(False), bed.pgbouncer(False), bed.gatehouse(False)], copy_seconds, max(ROUNDS, 5))
    median = {peer: statistics.median(values) for peer, values in results.items()}
    note(f"{name}: " + ", ".join(f"{peer} {205 / value:.0f} MB/s" for peer, value in median.items()))
    report.figure(name, median["direct"] / median["gatehouse"], "x", ">=0.8")


def masked_columns(bed, report):
    """A result of 228 MB in four columns, one of them hashed, against the same result of the same gateway unmasked."""
    name = "masking.columns.vs-unmasked"
    if not report.wants(name):
        return
    bed.direct(False).run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", input="""
        CREATE TABLE IF NOT EXISTS four_clear AS SELECT n AS id, md5(n::text) || md5((n + 1)::text) AS one, md5((n + 2)::text) AS two,
            md5((n + 3)::text) || md5((n + 4)::text) AS three FROM generate_series(1, 1200000) AS n;
        CREATE TABLE IF NOT EXISTS four_masked AS SELECT id, one, two AS masked_two, three FROM four_clear;
        VACUUM ANALYZE four_clear, four_masked;
    """)
    connection = log_in(bed.gatehouse(False))
    room = bytearray(1 << 20)

    def seconds(table):
        # By hand: a client that formats 1.2 million rows would be what is measured.
        query = f"SELECT * FROM {table}\0".encode()
        started = time.monotonic()
        connection.sendall(b"Q" + struct.pack("!I", len(query) + 4) + query)
        end = b""
        while end != b"Z\0\0\0\5I":
            count = connection.recv_into(room)
            if count == 0:
                raise SystemExit(f"bench: the session ended amid {table}")
            end = (end + room[max(count - 6, 0):count])[-6:]
        return time.monotonic() - started

    results = {"four_clear": [], "four_masked": []}
    for _ in range(max(ROUNDS, 3)):
        for table, values in results.items():
            values.append(seconds(table))
    clear, masked = (statistics.median(results[table]) for table in ("four_clear", "four_masked"))
    connection.close()
    note(f"{name}: unmasked {228 / clear:.0f} MB/s, masked {228 / masked:.0f} MB/s")
    report.figure(name, clear / masked, "x", ">=0.75")


def resident(pid):
    """Bytes of memory that a process holds."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("bench: no VmRSS")


def highest_resident(program):
    """Waits for a program; the most memory that it held, in bytes. Not by wait4: what that tells begins with this script's own."""
    highest = 0
    while program.poll() is None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in open(f"/proc/{program.pid}/status"):
                if line.startswith("VmHWM:"):
                    highest = max(highest, int(line.split()[1]) * 1024)
        time.sleep(0.02)
    return highest


def memory(bed, report):
    """How much the gateway grows while 2 GB pass: the highest sample against the one after the first 200 MB."""
    name = "postgres.memory.growth"
    if not report.wants(name):
        return
    gateway = bed.gatehouse(False)
    copy_seconds(gateway)
    before, highest, done = resident(gateway.pid), 0, threading.Event()

    def watch():
        nonlocal highest
        while not done.wait(0.05):
            highest = max(highest, resident(gateway.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(10):
            copy_seconds(gateway)
    finally:
        done.set()
        watcher.join()
    note(f"{name}: from {before / 2**20:.0f} MiB to {highest / 2**20:.0f} MiB")
    report.figure(name, (highest - before) / 2**20, "MiB", "<=64")


def log_in(gateway):
    """A session by hand, without TLS: a thousand clients cost this script little."""
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
    body = b"user\0bench\0database\0bench\0\0"
    connection.sendall(struct.pack("!II", len(body) + 8, 196608) + body)
    secret = gateway.environment["PGPASSWORD"].encode() + b"\0"
    buffer, asked = b"", False
    while True:
        data = connection.recv(65536)
        if not data:
            raise SystemExit("bench: a session was refused")
        buffer += data
        while len(buffer) >= 5:
            kind, length = buffer[:1], struct.unpack("!I", buffer[1:5])[0]
            if len(buffer) < length + 1:
                break
            body, buffer = buffer[5 : length + 1], buffer[length + 1 :]
            if kind == b"R" and body == struct.pack("!I", 3) and not asked:
                connection.sendall(b"p" + struct.pack("!I", len(secret) + 4) + secret)
                asked = True
            elif kind == b"E":
                raise SystemExit(f"bench: a session was refused: {body!r}")
            elif kind == b"Z":
                return connection


def idle(bed, report):
    name = "postgres.idle.session"
    if not report.wants(name):
        return
    count = 2000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    gateway = bed.gatehouse(False)
    sessions = [log_in(gateway) for _ in range(20)]
    time.sleep(1)
    before = resident(gateway.pid)
    sessions += [log_in(gateway) for _ in range(count)]
    time.sleep(3)
    after = resident(gateway.pid)
    for session in sessions:
        session.close()
    note(f"{name}: {count} sessions, from {before / 2**20:.0f} MiB to {after / 2**20:.0f} MiB")
    report.figure(name, (after - before) / count / 1000, "KB", "<=60")


def stored(gateway):
    """Bytes of the gateway's stored sessions, once nothing more has come for some seconds."""
    sizes, end = [], time.monotonic() + 120
    while time.monotonic() < end and (len(sizes) < 6 or len(set(sizes[-6:])) > 1):
        sizes.append(sum(file.stat().st_size for file in gateway.data.glob("store/sessions/**/*") if file.is_file()))
        time.sleep(1)
    return sizes[-1]


def sealing(bed, report):
    """What sealing costs a client that takes 200 MB, against a gateway that records in the clear."""
    name = "recording.seal.vs-unsealed"
    if not report.wants(name):
        return
    results = in_turns([bed.gatehouse(False, sealed=False), bed.gatehouse(False)], copy_seconds, max(ROUNDS, 5))
    median = {peer: statistics.median(values) for peer, values in results.items()}
    note(f"{name}: " + ", ".join(f"{peer} {205 / value:.0f} MB/s" for peer, value in median.items()))
    report.figure(name, median["unsealed"] / median["gatehouse"], "x", ">=0.9")


def paced(endpoint, rate=200e6, copies=10):
    """Seconds that a client takes for `copies` times 200 MB which it reads no faster than `rate` bytes a second."""
    started, taken = time.monotonic(), 0
    for _ in range(copies):
        client = subprocess.Popen(
            ["psql", "-X", "-q", "-c", "COPY documents TO STDOUT"], env=os.environ | endpoint.environment, stdout=subprocess.PIPE)
        while chunk := client.stdout.read1(1 << 20):
            taken += len(chunk)
            ahead = taken / rate - (time.monotonic() - started)
            if ahead > 0.002:
                time.sleep(ahead)
        if client.wait() != 0:
            raise SystemExit(f"bench: COPY through {endpoint.name} failed")
    return time.monotonic() - started


def bucket(bed, report):
    """What sealing and uploading to a bucket meanwhile cost a client that takes 200 MB/s for ten seconds, and one that takes all it
    can get; the S3 server takes its part of the two cores."""
    steady, greedy = "recording.bucket.200MB-a-second.vs-unsealed", "recording.bucket.vs-unsealed"
    if not report.wants(steady, greedy):
        return
    peers = [bed.gatehouse(False, sealed=False), bed.gatehouse(False, bucket=True)]
    for name, measure, size, want, rounds in [(steady, paced, 2050, ">=0.9", ROUNDS), (greedy, copy_seconds, 205, ">=0", max(ROUNDS, 5))]:
        if not report.wants(name):
            continue
        results = in_turns(peers, measure, rounds)
        median = {peer: statistics.median(values) for peer, values in results.items()}
        note(f"{name}: " + ", ".join(f"{peer} {size / value:.0f} MB/s" for peer, value in median.items()))
        report.figure(name, median["unsealed"] / median["bucket"], "x", want)


def recorded_size(bed, report):
    """The store's part of what went over the wire in a dump of pgbench_accounts."""
    name = "recording.size.pgbench-accounts"
    if not report.wants(name):
        return
    gateway = bed.gatehouse(False)
    before = stored(gateway)
    wire = len(gateway.run("psql", "-X", "-q", "-c", "COPY pgbench_accounts TO STDOUT").stdout)
    size = stored(gateway) - before
    note(f"{name}: {wire / 1e6:.0f} MB of rows, {size / 1e6:.1f} MB stored")
    report.figure(name, size / wire, "x", "<=0.25")


def verification(bed, report):
    """gatehouse verify over what the gateway stored: sealed data, public keys alone, one core."""
    name = "recording.verify"
    if not report.wants(name):
        return
    gateway = bed.gatehouse(False)
    # Rows that hardly compress, so that there is something to read.
    for number in range(int(os.environ.get("GATEHOUSE_BENCH_VERIFY_COPIES", "3"))):
        if number % 5 == 4:
            stored(gateway)  # the gateway refuses sessions while too much waits for the store
        gateway.run("psql", "-X", "-q", "-o", "/dev/null", "-c", "COPY digests TO STDOUT")
    size = stored(gateway)
    copy = bed.directory / "verified"
    subprocess.run(["cp", "-al", str(gateway.data), str(copy)], check=True)
    times, memory = [], 0
    for _ in range(ROUNDS):
        started = time.monotonic()
        program = subprocess.Popen(
            ["taskset", "-c", "0", GATEHOUSE, "verify", str(copy), "--format", "json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        memory = max(memory, highest_resident(program))
        times.append(time.monotonic() - started)
    note(f"{name}: {size / 1e6:.0f} MB in {statistics.median(times):.2f} s, at most {memory / 2**20:.0f} MiB of memory")
    report.figure(name, size / 1e6 / statistics.median(times), "MB/s", ">=400")


def main():
    report = Report(sys.argv[1] if len(sys.argv) > 1 else "")
    judging(None, report)
    detectors(None, report)
    lineage(None, report)
    bed = Bed()
    try:
        for measure in (throughput, latency, copy, masked_columns, memory, idle, sealing, bucket, recorded_size, verification):
            measure(bed, report)
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench: {error.cmd[0]} ended with {error.returncode}: {(error.stderr or '')[-2000:]}")
    finally:
        bed.close()


if __name__ == "__main__":
    main()
