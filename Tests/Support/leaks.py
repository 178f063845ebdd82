#!/usr/bin/env python3
"""Sequences of protocol messages by which a mask or a rule might be walked around. Prints {"bytes": everything that the server's side
sent, as text; "closed": whether the session was ended}.

usage: leaks.py SCENARIO      PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE say where to
"""
import json
import struct
import sys
import time

from hostile import Client, message

SECRET = "SELECT ssn FROM customers"
HARMLESS = "SELECT 1::text"
SYNC = message(b"S", b"")
FLUSH = message(b"H", b"")


def text(value):
    return value if isinstance(value, bytes) else value.encode()


def query(sql):
    return message(b"Q", text(sql) + b"\0")


def parse(name, sql):
    return message(b"P", text(name) + b"\0" + text(sql) + b"\0" + struct.pack("!h", 0))


def bind(portal, statement):
    return message(b"B", text(portal) + b"\0" + text(statement) + b"\0" + struct.pack("!hhh", 0, 0, 0))


def describe(portal):
    return message(b"D", b"P" + text(portal) + b"\0")


def execute(portal):
    return message(b"E", text(portal) + b"\0" + struct.pack("!i", 0))


def close(kind, name):
    return message(b"C", text(kind) + text(name) + b"\0")


def run(name, statement=""):
    return bind("", statement) + execute("")


LONG = "a" * 63
# Each entry is one write; after it the answers are read up to as many ReadyForQuery as it asks for.
SCENARIOS = {
    "unnamed-again": [
        parse("", HARMLESS) + bind("", "") + describe("") + execute("") + SYNC,
        parse("", SECRET) + bind("", "") + describe("") + execute("") + SYNC,
    ],
    "unnamed-again-undescribed": [parse("", HARMLESS) + run("") + SYNC, parse("", SECRET) + run("") + SYNC],
    "one-pipeline": [parse("", HARMLESS) + run("") + parse("", SECRET) + run("") + SYNC],
    "two-segments-at-once": [parse("", HARMLESS) + run("") + SYNC + parse("", SECRET) + run("") + SYNC],
    "failed-parse-keeps-the-old": [
        parse("s", SECRET) + SYNC,
        parse("s", HARMLESS) + SYNC + bind("", "s") + execute("") + SYNC,
    ],
    "sql-prepare-under-a-protocol-name": [
        parse("s", HARMLESS) + SYNC,
        query("DEALLOCATE s"),
        query("PREPARE s AS " + SECRET),
        bind("", "s") + execute("") + SYNC,
    ],
    "sql-execute-of-a-protocol-name": [parse("s", SECRET) + SYNC, query("EXECUTE s")],
    "declare-under-a-portal-name": [
        query("BEGIN"),
        parse("s", HARMLESS) + bind("x", "s") + SYNC,
        query("CLOSE x"),
        query("DECLARE x CURSOR FOR " + SECRET),
        execute("x") + SYNC,
    ],
    "fetch-of-a-portal": [query("BEGIN"), parse("s", SECRET) + bind("x", "s") + SYNC, query("FETCH ALL FROM x")],
    "described-before": [
        query("BEGIN"),
        parse("s", HARMLESS) + bind("x", "s") + describe("x") + close("P", "x") + SYNC,
        query("DECLARE x CURSOR FOR " + SECRET),
        execute("x") + SYNC,
    ],
    "canonically-equal-names": [
        parse("\u00e9", SECRET) + parse("e\u0301", HARMLESS) + SYNC,
        bind("", "\u00e9") + execute("") + SYNC,
    ],
    "names-cut-by-the-server": [parse(LONG + "1", SECRET) + SYNC, bind("", LONG + "2") + execute("") + SYNC],
    "search-path-after-parse": [
        query("CREATE TEMP TABLE plain (ssn text)"),
        parse("s", "SELECT ssn FROM customers") + SYNC,
        query("SET search_path TO pg_temp, public"),
        bind("", "s") + execute("") + SYNC,
    ],
    "execute-prepared-twice": [
        query("PREPARE s AS " + HARMLESS),
        parse("p", "EXECUTE s") + SYNC,
        query("DEALLOCATE s"),
        query("PREPARE s AS " + SECRET),
        bind("", "p") + execute("") + SYNC,
    ],
    "copy-in-a-prepared-statement": [
        parse("", HARMLESS) + run("") + SYNC,
        parse("", "COPY customers (ssn) TO STDOUT") + run("") + SYNC,
    ],
    # While the long text is analysed the pipeline fails; the verdict on it must not be used for what follows.
    "verdict-of-another-text": [
        bind("", "nosuch") + parse("", "SELECT " + " + ".join(["1"] * 900) + " /* " + "x" * 20000 + " */") + SYNC + query("DROP TABLE customers"),
    ],
}


def main(scenario):
    client = Client().ready()
    seen = b""
    closed = False
    for write in SCENARIOS[scenario]:
        wanted = count(write)
        client.send(write)
        deadline = time.monotonic() + 15
        while wanted > 0 and not closed and time.monotonic() < deadline:
            kind, body = client.next()
            if kind is None:
                closed = True
            else:
                seen += kind + body
                wanted -= kind == b"Z"
    json.dump({"bytes": seen.decode(errors="replace"), "closed": closed}, sys.stdout)


def count(write):
    """How many ReadyForQuery a write asks for: its Queries and Syncs."""
    wanted, place = 0, 0
    while place < len(write):
        wanted += write[place : place + 1] in (b"Q", b"S")
        place += 1 + struct.unpack("!I", write[place + 1 : place + 5])[0]
    return wanted


if __name__ == "__main__":
    main(sys.argv[1])
