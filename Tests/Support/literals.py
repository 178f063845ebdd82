#!/usr/bin/env python3
"""Sends known secrets as the literals and parameters of statements over a masked column, in every way that psycopg has.

usage: literals.py TABLE     its columns are (id integer, label text, card_number text), the last masked; the secrets come as lines of
                             standard input. Prints how many statements ran, and what failed.
"""
import json
import sys

import psycopg
from psycopg import pq
from psycopg.types.json import Jsonb

TABLE = sys.argv[1]
SECRETS = sys.stdin.read().split()
ran = 0
failed = []


def attempt(run, expected=True):
    global ran
    try:
        run()
        ran += 1
    except psycopg.Error as error:
        if expected:
            failed.append(f"{error.sqlstate} {error}")


def literals(connection, secret):
    quoted = [f"'{secret}'", f"E'{secret}'", f"$${secret}$$", f"U&'{secret}'", f"/* {secret} */ '{secret}'", f"'{secret[:6]}' || '{secret[6:]}'"]
    for value in quoted:
        for sql in [
            f"SELECT id FROM {TABLE} WHERE card_number = {value}",
            f"SELECT count(*) FROM {TABLE} WHERE card_number IN ({value}, {value})",
            f"WITH v AS (SELECT {value} AS x) SELECT count(*) FROM {TABLE}, v WHERE card_number = v.x",
            f"SELECT id FROM {TABLE} WHERE upper(card_number) = upper({value})",
            f"SELECT id FROM {TABLE} WHERE label = {value} AND label = card_number",
            f"UPDATE {TABLE} SET card_number = {value} WHERE id = 1",
            f"UPDATE {TABLE} SET (label, card_number) = ('x', {value}) WHERE id = 1",
            f"INSERT INTO {TABLE} VALUES (2, 'two', {value}), (3, DEFAULT, {value}) ON CONFLICT (id) DO UPDATE SET card_number = {value}",
            f"WITH w AS (INSERT INTO {TABLE} (card_number, id) VALUES ({value}, 4) ON CONFLICT DO NOTHING RETURNING id) SELECT * FROM w",
            f"MERGE INTO {TABLE} t USING (VALUES (5, {value})) v(i, c) ON t.id = v.i"
            f" WHEN MATCHED THEN UPDATE SET card_number = {value} WHEN NOT MATCHED THEN INSERT (id, card_number) VALUES (5, {value})",
            f"SELECT 1; UPDATE {TABLE} SET card_number = {value} WHERE id = 1; SELECT 2",
            f"DELETE FROM {TABLE} WHERE card_number = {value} AND id > 100",
            f"EXPLAIN SELECT id FROM {TABLE} WHERE card_number = {value}",
        ]:
            attempt(lambda: connection.execute(sql))
    for number, sql in enumerate([
        f"PREPARE p{{}} (text) AS UPDATE {TABLE} SET card_number = $1 WHERE id = 1; EXECUTE p{{}} ('{secret}'); DEALLOCATE p{{}}",
        f"BEGIN; DECLARE c CURSOR FOR SELECT id FROM {TABLE} WHERE card_number > '{secret}'; FETCH 5 FROM c; COMMIT",
    ]):
        attempt(lambda: [connection.execute(part) for part in sql.replace("{}", f"_{number}").split("; ")])
    # Errors, and what the gateway denies or cannot read: the client's words are recorded all the same.
    for sql in [
        f"UPDATE {TABLE} SET card_number = '{secret}'", f"UPDATE {TABLE} SET card_number '{secret}'", f"SELECT id FROM {TABLE} WHERE card_number = '{secret}",
        f"DO $$ BEGIN UPDATE {TABLE} SET card_number = '{secret}' WHERE id = 1; END $$", f"SELECT id FROM {TABLE} WHERE card_number = ('{secret}')::integer",
        f"SELECT /* {secret} FROM {TABLE}", f"DROP TABLE {TABLE} /* {secret} */",
        f"CREATE FUNCTION {TABLE}_f() RETURNS text LANGUAGE sql AS 'SELECT ''{secret}'''", f"INSERT INTO {TABLE} VALUES (1, 'x', '{secret}')",
        f"CREATE TABLE {TABLE}_copy AS SELECT * FROM {TABLE} WHERE card_number = '{secret}'",
    ]:
        attempt(lambda: connection.execute(sql), expected=False)


def parameters(connection, secret):
    for prepare in (False, True):
        for sign in ("%s", "%b", "%t"):
            for sql, values in [
                (f"SELECT id FROM {TABLE} WHERE card_number = {sign}::text", (secret,)),
                (f"UPDATE {TABLE} SET card_number = {sign} WHERE id = {sign}", (secret, 1)),
                (f"INSERT INTO {TABLE} VALUES ({sign}, {sign}, {sign}) ON CONFLICT (id) DO UPDATE SET card_number = excluded.card_number", (6, "six", secret)),
                (f"SELECT count(*) FROM {TABLE} WHERE card_number = ANY ({sign})", ([secret, secret],)),
                (f"SELECT count(*) FROM {TABLE} WHERE to_jsonb(card_number) = {sign} -> 'a'", (Jsonb({"a": secret}),)),
                (f"SELECT count(*) FROM {TABLE} WHERE card_number LIKE '%%' || {sign}::text", (secret,)),
            ]:
                attempt(lambda: connection.execute(sql, values, prepare=prepare))
    # Denied, and behind an error in a pipeline.
    attempt(lambda: connection.execute(f"DELETE FROM {TABLE} WHERE card_number = %s OR true", (secret,)), expected=False)
    handle = connection.pgconn
    handle.enter_pipeline_mode()
    for sql, values in [(b"SELECT 1/0", None), (f"UPDATE {TABLE} SET card_number = $1 WHERE id = 1".encode(), [secret.encode()])]:
        handle.send_query_params(sql, values)
    handle.send_prepare(b"behind", f"UPDATE {TABLE} SET card_number = '{secret}' WHERE id = 1".encode())
    handle.send_query_prepared(b"unknown", [secret.encode()])
    handle.pipeline_sync()
    handle.nonblocking = 0
    while True:
        result = handle.get_result()
        if result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC:
            break
    handle.exit_pipeline_mode()


def copies(connection, secret, first):
    cursor = connection.cursor()

    def rows(sql, types=None, numbers=2):
        with cursor.copy(sql) as copy:
            if types:
                copy.set_types(types)
            for number in range(numbers):
                copy.write_row((first + number, "copied", secret) if "card_number, id" not in sql else (secret, first + number))

    def text(sql, data):
        with cursor.copy(sql) as copy:
            for piece in range(0, len(data), 7):
                copy.write(data[piece:piece + 7])

    attempt(lambda: rows(f"COPY {TABLE} FROM STDIN"))
    first += 10
    attempt(lambda: rows(f"COPY {TABLE} (card_number, id) FROM STDIN"))
    first += 10
    attempt(lambda: rows(f"COPY {TABLE} FROM STDIN (FORMAT binary)", ["int4", "text", "text"]))
    first += 10
    attempt(lambda: text(f"COPY {TABLE} FROM STDIN (FORMAT csv, HEADER)", f'a,b,{secret}\n{first},"a, b",{secret}\n{first + 1},c,"{secret}"\n'))
    first += 10
    attempt(lambda: text(f"COPY {TABLE} FROM STDIN (FORMAT csv)", f"{first},a,{secret}\r\n{first + 1},b,{secret}\r\n"))
    first += 10
    # One that fails amid its data, and a client that goes on.
    attempt(lambda: text(f"COPY {TABLE} FROM STDIN", f"{first}\tx\t{secret}\nno\tx\t{secret}\n" + f"{first}\tx\t{secret}\n" * 50), expected=False)


with psycopg.connect("", autocommit=True) as connection:
    for index, secret in enumerate(SECRETS):
        literals(connection, secret)
        parameters(connection, secret)
        copies(connection, secret, 1_000 + index * 100)
    # What touches no masked column is recorded whole.
    connection.execute(f"SELECT 'kept-{TABLE}', %s::text", (f"parameter-{TABLE}",))
    connection.execute(f"UPDATE {TABLE} SET label = 'label-{TABLE}' WHERE id = %s", (4711,))
    stored = connection.execute(f"SELECT count(*) FROM {TABLE} WHERE id >= 1000").fetchone()[0]
json.dump({"ran": ran, "failed": failed, "stored": stored}, sys.stdout)
