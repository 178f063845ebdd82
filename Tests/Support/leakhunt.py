#!/usr/bin/env python3
"""Tries to get known secrets out of a masked column, in many ways. Prints one JSON value.

usage: leakhunt.py hunt|exact [MODE...]     PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE say where to

hunt answers {"techniques", "queries", "runs", "answered", "rows", "leaks": [[mode, technique, sql, what]]}; exact answers {sql: bytes
of its result in hexadecimal, in text and binary}. The secrets are in column card_number of table vault (LeakHuntTests makes it).
"""
import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import struct
import subprocess
import sys

from hostile import Client, fields, message, startup_packet
from leakqueries import EXACT, HUNT, SCRIPTS

SECRETS = ["Qz7xkw4m93Lp", "Jv2hTn8cRb61", "Ws5dYg0fKe3u"]
WINDOW = 6


def traces(secret):
    """What the secret may look like, lower case."""
    raw = secret.encode()
    whole = [raw[::-1], raw.hex().encode(), raw[::-1].hex().encode(), base64.b64encode(raw), base64.b64encode(raw[::-1])]
    whole += [hashlib.new(name, raw).hexdigest().encode() for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")]
    whole += [hashlib.new(name, raw).digest() for name in ("md5", "sha256", "sha512")]
    codes = [",".join(str(byte) for byte in raw[:WINDOW]).encode(), " ".join(str(byte) for byte in raw[:WINDOW]).encode()]
    spaced = [separator.join(secret[:WINDOW]).encode() for separator in (" ", ",", "-", "\n", "|")]
    pieces = [text[i : i + WINDOW] for text in (raw, raw[::-1]) for i in range(len(raw) - WINDOW + 1)]
    utf16 = [raw[:WINDOW].decode().encode("utf-16-le"), raw[:WINDOW].decode().encode("utf-16-be")]
    return {trace.lower() for trace in whole + codes + spaced + pieces + utf16}


TRACES = {trace: secret for secret in SECRETS for trace in traces(secret)}
PATTERN = re.compile(b"|".join(re.escape(trace) for trace in sorted(TRACES, key=len, reverse=True)))


def logged_in():
    """A session through the gateway, which asks for the password, or straight to the server (SCRAM-SHA-256, RFC 5802, 7677)."""
    client = Client()
    client.send(startup_packet({"user": os.environ["PGUSER"], "database": os.environ["PGDATABASE"]}))
    kind, body = client.next()
    password = os.environ["PGPASSWORD"].encode()
    if body == struct.pack("!I", 3):
        client.send(message(b"p", password + b"\0"))
    elif body[:4] == struct.pack("!I", 10):
        first = b"n=,r=" + secrets.token_hex(12).encode()
        hello = b"n,," + first
        client.send(message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(hello)) + hello))
        challenge = client.next()[1][4:]
        parts = dict(part.split(b"=", 1) for part in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(parts[b"s"]), int(parts[b"i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        final = b"c=biws,r=" + parts[b"r"]
        signature = hmac.digest(hashlib.sha256(key).digest(), b",".join([first, challenge, final]), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature)))
        client.send(message(b"p", final + b",p=" + proof))
    while kind != b"Z":
        kind, body = client.next()
        if kind in (b"E", None):
            sys.exit(f"no session: {body!r}")
    return client


class Session:
    """Raw messages, with everything that the server's side says kept."""

    def __init__(self):
        self.client = logged_in()

    def exchange(self, data, readies=1):
        seen, joined, rows, answered = [], [], 0, False
        self.client.send(data)
        while readies:
            kind, body = self.client.next()
            if kind is None:
                self.client = logged_in()
                break
            seen.append((kind, body))
            if kind == b"D":
                rows += 1
                joined += values(body)
            if kind == b"d":
                rows += 1
                joined.append(body.strip(b"\n"))
            if kind in (b"C", b"T"):
                answered = True
            if kind == b"Z":
                readies -= 1
                if body != b"I" and not readies:
                    self.client.send(message(b"Q", b"ROLLBACK\0"))
                    while self.client.next()[0] not in (b"Z", None):
                        pass
        return seen, b"".join(joined), rows, answered


def values(body):
    (count,), at, found = struct.unpack("!h", body[:2]), 2, []
    for _ in range(count):
        (length,) = struct.unpack("!i", body[at : at + 4])
        at += 4
        if length >= 0:
            found.append(body[at : at + length])
            at += length
    return found


def query(sql):
    return message(b"Q", sql.encode() + b"\0")


def extended(sql, binary, describe=True):
    formats = struct.pack("!hh", 1, 1) if binary else struct.pack("!h", 0)
    data = message(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0))
    data += message(b"B", b"\0\0" + struct.pack("!hh", 0, 0) + formats)
    if describe:
        data += message(b"D", b"P\0")
    return data + message(b"E", b"\0" + struct.pack("!i", 0)) + message(b"S", b"")


MODES = {
    "simple": lambda sql: (query(sql), 1),
    "binary": lambda sql: (extended(sql, True), 1),
    "undescribed": lambda sql: (extended(sql, False, describe=False), 1),
    "cursor": lambda sql: (query(f"BEGIN; DECLARE h NO SCROLL CURSOR FOR {sql}; FETCH 2 FROM h; FETCH ALL FROM h; ROLLBACK"), 1),
    "held": lambda sql: (query("BEGIN") + query(f"DECLARE h CURSOR WITH HOLD FOR {sql}") + query("COMMIT") + query("FETCH ALL h") + query("CLOSE h"), 5),
    "copy": lambda sql: (query(f"COPY ({sql}) TO STDOUT"), 1),
    "copy-csv": lambda sql: (query(f"COPY ({sql}) TO STDOUT (FORMAT csv, HEADER)"), 1),
    "copy-binary": lambda sql: (query(f"COPY ({sql}) TO STDOUT (FORMAT binary)"), 1),
    "prepared": lambda sql: (query(f"PREPARE h AS {sql}") + query("EXECUTE h") + query("DEALLOCATE h"), 3),
    "explained": lambda sql: (query(f"EXPLAIN (ANALYZE, VERBOSE, COSTS off, TIMING off, SUMMARY off) {sql}"), 1),
}


class Hunt:
    def __init__(self):
        self.report = {"techniques": 0, "queries": 0, "runs": 0, "answered": 0, "rows": 0, "leaks": []}

    def look(self, mode, technique, sql, *haystacks):
        for haystack in haystacks:
            found = PATTERN.search(haystack.lower())
            if found:
                self.report["leaks"].append([mode, technique, sql, found.group().decode("latin-1")])
                return

    def raw(self, modes):
        session = Session()
        for technique, statements in HUNT.items():
            for sql in statements:
                for mode in modes:
                    data, readies = MODES[mode](sql)
                    seen, joined, rows, answered = session.exchange(data, readies)
                    self.report["runs"] += 1
                    self.report["rows"] += rows
                    self.report["answered"] += answered
                    # What the client itself said comes back in errors: only what it did not say counts.
                    self.look(mode, technique, sql, b"\n".join(body for _, body in seen), joined)

    def scripts(self):
        for technique, scripts in SCRIPTS.items():
            for script in scripts:
                session = Session()
                for sql in script:
                    seen, joined, rows, answered = session.exchange(query(sql))
                    self.report["runs"] += 1
                    self.report["rows"] += rows
                    self.report["answered"] += answered
                    self.look("script", technique, "; ".join(script), b"\n".join(body for _, body in seen), joined)

    def psql(self):
        text = ";\n".join(sql for statements in HUNT.values() for sql in statements) + ";\n"
        done = subprocess.run(["psql", "-X", "-A", "-t", "-q"], input=text.encode(), capture_output=True, timeout=120)
        self.report["runs"] += 1
        for line in (done.stdout + done.stderr).splitlines():
            # psql quotes the statement around an error.
            if not line.startswith((b"LINE ", b"psql:")):
                self.look("psql", "all", line.decode(errors="replace"), line)

    def psycopg(self):
        import psycopg

        with psycopg.connect(autocommit=True) as connection:
            for technique, statements in HUNT.items():
                for sql in statements:
                    self.report["runs"] += 1
                    try:
                        cursor = connection.execute(sql.replace("%", "%%"), (), binary=True)
                        result = cursor.pgresult
                        seen = [result.get_value(row, column) or b"" for row in range(result.ntuples) for column in range(result.nfields)]
                        self.report["rows"] += result.ntuples
                        self.look("psycopg", technique, sql, b"\n".join(seen), b"".join(seen))
                    except psycopg.Error as error:
                        self.look("psycopg", technique, sql, str(error).encode())


def hunt(modes):
    found = Hunt()
    found.report["techniques"] = len(HUNT) + len(SCRIPTS)
    found.report["queries"] = sum(len(statements) for statements in HUNT.values()) + sum(len(scripts) for scripts in SCRIPTS.values())
    raw = [mode for mode in modes if mode in MODES]
    if raw:
        found.raw(raw)
    for mode in ("scripts", "psql", "psycopg"):
        if mode in modes:
            getattr(found, mode)()
    return found.report


def exact():
    session, answers = Session(), {}
    for sql in EXACT:
        parts = []
        for data in (query(sql), extended(sql, True)) if not sql.startswith("COPY") else (query(sql),):
            seen, _, _, _ = session.exchange(data)
            for kind, body in seen:
                if kind == b"E":
                    parts.append("error " + fields(body).get("C", "") + " " + fields(body).get("M", ""))
                elif kind in (b"T", b"D", b"C", b"d", b"H", b"c"):
                    parts.append(kind.decode() + body.hex())
        answers[sql] = parts
    return answers


if __name__ == "__main__":
    print(json.dumps(hunt(sys.argv[2:] or list(MODES)) if sys.argv[1] == "hunt" else exact()))
