#!/usr/bin/env python3
"""Sends the cases of a corpus (Tests/Packs/Corpus) through a gateway, and straight to the server behind it.

usage: corpus.py evasions|harmless FILE     the gateway's way in comes from libpq's environment; standard input is a JSON object
                                            of libpq variables: "direct", the same account at the server, and "watch", which
                                            may see everything
Prints one JSON object: how many cases ran, and what was wrong with which.
"""
import json
import os
import sys

import psycopg

# What an evasion could have changed. Other tests use the same server, so only what the corpus is about is looked at.
STATE = """
SELECT (SELECT md5(string_agg(c::text, ';' ORDER BY id)) FROM clients c), (SELECT md5(string_agg(c::text, ';' ORDER BY id)) FROM invoices c),
    (SELECT md5(string_agg(c::text, ';' ORDER BY id)) FROM items c), (SELECT md5(string_agg(c::text, ';' ORDER BY id)) FROM api_tokens c),
    (SELECT md5(string_agg(c::text, ';' ORDER BY id)) FROM user_secrets c),
    (SELECT md5(string_agg(concat_ws(' ', relname, relkind, relowner, relacl, relrowsecurity, relforcerowsecurity, relpersistence, relhasrules,
        relhastriggers), ';' ORDER BY relname)) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    (SELECT md5(string_agg(concat_ws(' ', attrelid, attname, atttypid, attacl), ';' ORDER BY attrelid, attnum)) FROM pg_attribute
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)),
    (SELECT string_agg(concat_ws(' ', proname, prosecdef, proowner), ';' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    (SELECT string_agg(conname, ';' ORDER BY conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
    (SELECT string_agg(concat_ws(' ', rolname, rolsuper, rolbypassrls), ';' ORDER BY rolname) FROM pg_roles WHERE rolname IN ('app_rw', 'app_ro', 'evil')),
    (SELECT count(*) FROM pg_auth_members), (SELECT count(*) FROM pg_default_acl), (SELECT count(*) FROM pg_policy), (SELECT count(*) FROM pg_publication),
    (SELECT count(*) FROM pg_subscription), (SELECT count(*) FROM pg_foreign_server), (SELECT count(*) FROM pg_extension),
    (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_cast), (SELECT count(*) FROM pg_operator), (SELECT count(*) FROM pg_event_trigger),
    (SELECT count(*) FROM pg_replication_slots), (SELECT nspowner FROM pg_namespace WHERE nspname = 'public'), (SELECT count(*) FROM pg_tablespace)
"""


def cases(path):
    """[line, technique, [step]] of each, in the form that Tests/Packs/Corpus.swift tells."""
    found = []
    for number, line in enumerate(open(path, newline="").read().split("\n"), 1):
        if line.startswith("## "):
            found.append([number, line[3:], []])
        elif found:
            found[-1][2].append(line)
    for case in found:
        lines = case[2]
        while lines and lines[-1] == "":
            lines.pop()
        case[2] = "\n".join(lines).split("\n-- then\n")
    return found


class Way:
    """A connection that is opened again when a case ended it."""

    def __init__(self, variables):
        self.variables = variables
        self.connection = None

    def run(self, sql, **options):
        """None, or (SQLSTATE, message)."""
        if self.connection is None or self.connection.closed:
            for name in [name for name in os.environ if name.startswith("PG")]:
                del os.environ[name]
            os.environ.update({name: value for name, value in self.variables.items() if name.startswith("PG")})
            self.connection = psycopg.connect("", autocommit=True, prepare_threshold=1_000_000)
        try:
            cursor = self.connection.cursor()
            cursor.execute(sql, **options)
            while cursor.nextset():
                pass
            return None
        except psycopg.Error as error:
            return error.sqlstate, error.diag.message_primary or str(error)

    def rows(self, sql):
        error = self.run("SELECT 1")
        if error:
            raise SystemExit(f"corpus: {error}")
        return self.connection.execute(sql).fetchall()

    def settle(self):
        """As a session is at its beginning."""
        if self.connection is not None and not self.connection.closed:
            if self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self.connection.rollback()
            self.run("DISCARD ALL")


def is_denial(answer):
    return answer is not None and answer[0] == "42501" and answer[1].startswith("denied by Gatehouse rule")


def evasions(path, gateway, direct, watch):
    wrong = []
    before = watch.rows(STATE)
    found = cases(path)
    for line, technique, steps in found:
        for mode in ({}, {"prepare": True}):
            answers = [gateway.run(step, **mode) for step in steps]
            if not any(map(is_denial, answers)):
                wrong.append([line, technique, f"not denied ({'extended' if mode else 'simple'}): {answers}"])
            gateway.settle()
        after = watch.rows(STATE)
        if after != before:
            wrong.append([line, technique, f"changed the server: {[pair for pair in zip(before[0], after[0]) if pair[0] != pair[1]]}"])
            before = after
    return {"cases": len(found), "wrong": wrong}


def harmless(path, gateway, direct, watch):
    wrong = []
    found = cases(path)
    for line, technique, steps in found:
        for name, way in (("direct", direct), ("gateway", gateway)):
            for step in steps:
                answer = way.run(step)
                if answer is not None:
                    wrong.append([line, technique, f"{name}: {answer}"])
            way.settle()
    return {"cases": len(found), "wrong": wrong}


if __name__ == "__main__":
    others = json.load(sys.stdin)
    own = {name: value for name, value in os.environ.items() if name.startswith("PG")}
    ways = [Way(own), Way(others["direct"]), Way(others["watch"])]
    json.dump({"evasions": evasions, "harmless": harmless}[sys.argv[1]](sys.argv[2], *ways), sys.stdout)
