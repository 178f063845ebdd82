#!/usr/bin/env python3
"""Scenarios of Python clients for the integration tests. Each prints one JSON value.

usage: clients.py SCENARIO [ARGUMENT...]     the way in comes from libpq's environment variables (PGHOST, PGPASSWORD, ...)
"""
import asyncio
import contextlib
import hashlib
import json
import os
import ssl
import sys
import threading
import time

import psycopg
from psycopg import pq


def outcome(action):
    """What an action answers, or its SQLSTATE and message."""
    try:
        return {"ok": action()}
    except psycopg.Error as error:
        return failure(error)


def failure(error):
    diagnostic = error.diag
    return {
        "sqlstate": error.sqlstate,
        "message": diagnostic.message_primary or str(error),
        "detail": diagnostic.message_detail,
        "hint": diagnostic.message_hint,
        "severity": diagnostic.severity_nonlocalized,
    }


def plain(value):
    return value if value is None or isinstance(value, (int, float, bool, str)) else str(value)


def rows(cursor):
    return [[plain(value) for value in row] for row in cursor.fetchall()]


def connect(**options):
    return psycopg.connect("", autocommit=True, **options)


def select(sql, mode="text", *parameters):
    """mode: text or binary results; `prepared`: binary, prepared by name before the first run and run twice."""
    with connect() as connection:
        cursor = connection.cursor(binary=mode != "text")
        if mode == "prepared":
            connection.prepare_threshold = 0
            cursor.execute(sql, parameters or None)
            first = rows(cursor)
            cursor.execute(sql, parameters or None)
            again = rows(cursor)
            return {"rows": again, "same": first == again, "columns": [column.name for column in cursor.description]}
        cursor.execute(sql, parameters or None)
        return {"rows": rows(cursor), "columns": [column.name for column in cursor.description]}


def cancel(kind):
    """Cancels a running statement: `plain` as libpq did before 17, `safe` under the same protection as the session."""
    with connect() as connection:

        def interrupt():
            time.sleep(0.7)
            if kind == "safe":
                connection.cancel_safe()
            else:
                connection.cancel()

        thread = threading.Thread(target=interrupt)
        started = time.monotonic()
        thread.start()
        slept = outcome(lambda: connection.execute("SELECT pg_sleep(60)") and None)
        thread.join()
        return {"slept": slept, "seconds": time.monotonic() - started, "after": connection.execute("SELECT 1").fetchone()[0]}


def listen(channel):
    with connect() as listener, connect() as speaker:
        listener.execute(f"LISTEN {channel}")
        for number in range(3):
            speaker.execute("SELECT pg_notify(%s, %s)", (channel, f"payload {number}"))
        heard = [notice.payload for notice in listener.notifies(timeout=20, stop_after=3)]
        listener.execute(f"UNLISTEN {channel}")
        return {"heard": heard, "after": listener.execute("SELECT 1").fetchone()[0]}


def large(size):
    """A value of so many bytes down, and one up as a parameter."""
    size = int(size)
    with connect() as connection:
        down = connection.execute("SELECT repeat('0123456789abcdef', %s)", (size // 16,)).fetchone()[0]
        up = connection.execute("SELECT length(%s::text), md5(%s::text)", ("z" * size, "z" * size)).fetchone()
        return {
            "length": len(down),
            "down": hashlib.md5(down.encode()).hexdigest() == hashlib.md5(b"0123456789abcdef" * (size // 16)).hexdigest(),
            "up": [up[0], up[1] == hashlib.md5(b"z" * size).hexdigest()],
        }


def many_rows(count):
    """The sum over a result that is read row by row."""
    with connect() as connection:
        sql = "SELECT n, repeat('r', 1000) FROM generate_series(1, %s) AS n"
        return sum(row[0] for row in connection.cursor().stream(sql, (int(count),)))


def transaction(table):
    """A denial inside an open transaction."""
    with connect() as connection:
        connection.execute(f"CREATE TABLE {table} (n integer)")
        connection.execute("BEGIN")
        connection.execute(f"INSERT INTO {table} VALUES (1)")
        denied = outcome(lambda: connection.execute(f"DROP TABLE {table}") and None)
        status = connection.info.transaction_status.name
        after = outcome(lambda: connection.execute("SELECT 1") and None)
        commit = connection.execute("COMMIT").statusmessage
        return {
            "denied": denied, "status": status, "after": after, "commit": commit,
            "rows": rows(connection.execute(f"SELECT n FROM {table}")), "idle": connection.info.transaction_status.name,
        }


def savepoint(table):
    """A denial after a savepoint: rolling back to it makes the transaction usable."""
    with connect() as connection:
        connection.execute(f"CREATE TABLE {table} (n integer)")
        connection.execute("BEGIN")
        connection.execute(f"INSERT INTO {table} VALUES (1)")
        connection.execute("SAVEPOINT s")
        denied = outcome(lambda: connection.execute(f"DROP TABLE {table}") and None)
        connection.execute("ROLLBACK TO s")
        connection.execute(f"INSERT INTO {table} VALUES (2)")
        connection.execute("COMMIT")
        return {"denied": denied, "rows": rows(connection.execute(f"SELECT n FROM {table} ORDER BY n"))}


def pipeline(table):
    """Messages in flight around a denial: nothing since the last Sync commits, what comes after the next one does."""
    with connect() as connection:
        connection.execute(f"CREATE TABLE {table} (n integer)")
        handle = connection.pgconn
        handle.enter_pipeline_mode()

        def send(*statements):
            for sql in statements:
                handle.send_query_params(sql.encode(), [])
            handle.pipeline_sync()

        send(f"INSERT INTO {table} VALUES (1)")
        send(f"INSERT INTO {table} VALUES (2)", f"DROP TABLE {table}", f"INSERT INTO {table} VALUES (3)")
        send(f"INSERT INTO {table} VALUES (4)", f"SELECT sum(n) FROM {table}")
        handle.nonblocking = 0
        statuses, errors = [], []
        while statuses.count("PIPELINE_SYNC") < 3:
            result = handle.get_result()
            if result is not None:
                statuses.append(pq.ExecStatus(result.status).name)
                if result.status == pq.ExecStatus.FATAL_ERROR:
                    errors.append(result.error_field(pq.DiagnosticField.SQLSTATE).decode())
        handle.exit_pipeline_mode()
        return {"statuses": statuses, "errors": errors, "rows": rows(connection.execute(f"SELECT n FROM {table} ORDER BY n"))}


def copy_out(sql):
    with connect() as connection:
        with connection.cursor().copy(sql) as copy:
            data = b"".join(bytes(block) for block in copy)
        # As it came: latin-1 keeps every byte of a binary copy apart.
        return {"data": data.decode("latin-1"), "after": connection.execute("SELECT 1").fetchone()[0]}


def copy_in(table, count, mode="text"):
    with connect() as connection:
        connection.execute(f"CREATE TABLE {table} (n bigint, name text)")
        options = "" if mode == "text" else " (FORMAT BINARY)"
        with connection.cursor().copy(f"COPY {table} (n, name) FROM STDIN{options}") as copy:
            if mode == "binary":
                copy.set_types(["int8", "text"])
            for number in range(int(count)):
                copy.write_row((number, f"row\t{number} \\ é"))
        return rows(connection.execute(f"SELECT count(*), sum(n)::bigint, count(DISTINCT name) FROM {table}"))[0]


def copy_in_denied(sql):
    """A COPY IN that a rule denies: the client sends its rows all the same, and the session goes on."""
    with connect() as connection:

        def load():
            with connection.cursor().copy(sql) as copy:
                for number in range(1000):
                    copy.write_row((number,))

        return {"copy": outcome(load), "after": connection.execute("SELECT 1").fetchone()[0]}


def cursor(sql):
    """A server-side cursor, read in pieces, in binary."""
    with psycopg.connect("") as connection:
        with connection.cursor("pieces", binary=True) as named:
            named.execute(sql)
            pieces = []
            while piece := named.fetchmany(7):
                pieces.append([[plain(value) for value in row] for row in piece])
        return {"pieces": [len(piece) for piece in pieces], "rows": [row for piece in pieces for row in piece]}


def script():
    """One session. Standard input is a JSON array: a string is a simple query, an array [text, parameters] an extended one."""
    with connect() as connection:
        answers = []
        for step in json.load(sys.stdin):
            sql, parameters = (step, None) if isinstance(step, str) else (step[0], step[1])

            def run():
                cursor = connection.execute(sql, parameters)
                while cursor.nextset():
                    pass
                return rows(cursor) if cursor.description else cursor.statusmessage

            answers.append(outcome(run))
            if connection.closed:
                break
        return {"answers": answers, "closed": connection.closed}


def exported(table, witness):
    """A session of everything that a script of it has to get right. `witness` is a file that nothing may make."""
    import datetime
    import decimal
    import uuid

    from psycopg.types.json import Jsonb

    columns = "(n integer PRIMARY KEY, t text, b bytea, ts timestamptz, num numeric, j jsonb, arr text[], u uuid, d date, f float8, i interval, ok boolean)"
    nasty = f"it's \\ $$ $1 :name ;-- /* \x1b[31m \u202e \r\n\\! touch {witness}\n\\."
    with connect() as connection:
        def run(sql, *parameters):
            return outcome(lambda: connection.execute(sql, parameters or None) and None)

        run(f"CREATE TABLE {table} {columns}; INSERT INTO {table} (n, t) VALUES (1, ';'), (2, E'it\\'s; \\\\')")
        for n, form in [(10, "%t"), (11, "%b")]:
            run(
                f"INSERT INTO {table} VALUES (%s)" % ", ".join([form] * 12), n, nasty, b"\x00\xff'\\",
                datetime.datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc), decimal.Decimal("-12345678.000900"),
                Jsonb({"a": [nasty, None]}), ["x", nasty, None, ""], uuid.UUID(int=7), datetime.date(2024, 2, 29), 0.1,
                datetime.timedelta(days=3, microseconds=-5), True)
        run(f"INSERT INTO {table} (n, t, num, f) VALUES (%b, %b, %b, %b)", 12, None, decimal.Decimal("NaN"), float("-inf"))
        run(f"INSERT INTO {table} (n, t, b) SELECT (array[20,21])[1:1][1] + %s, '\x1b]0;title', E'\\\\x01'", 0)
        run(f"INSERT INTO {table} (n, t) VALUES (21, '\x1b]0;title\r\n\\! touch {witness}')")
        run(f"SELECT 1 \\! touch {witness}")
        run(f"SELECT 'a' \n\\! touch {witness}\n")
        run("SET standard_conforming_strings = off")
        run(f"INSERT INTO {table} (n, t) VALUES (30, 'a\\'; \\! touch {witness}')")
        run("SET standard_conforming_strings = on")
        # Transactions: one that is denied and ends, one that goes back to a savepoint, one that fails, one that is left open.
        for n, ending in [(40, "COMMIT"), (41, "ROLLBACK TO s; COMMIT"), (42, "ROLLBACK")]:
            run("BEGIN")
            run(f"INSERT INTO {table} (n) VALUES (%s)", n)
            run(f"SAVEPOINT s; INSERT INTO {table} (n) VALUES ({n + 10})")
            run(f"DROP TABLE {table}_none")
            run(f"INSERT INTO {table} (n) VALUES ({n + 20})")
            run(ending)
        run(f"INSERT INTO {table} (n) VALUES (70); INSERT INTO {table} (n) VALUES (1)")
        run(f"BEGIN; INSERT INTO {table} (n) VALUES (71); COMMIT; INSERT INTO {table} (n) VALUES (72); SELECT 1/0")
        run(f"CREATE FUNCTION {table}_f(a integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT a + 1; SELECT a + 2; END")
        run(f"CREATE FUNCTION {table}_g() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RETURN ';'; END $f$")
        run(f"DO $$ BEGIN INSERT INTO {table} (n) VALUES (80); END $$ -- the end; \\! touch {witness}")
        for n, options, lines in [
            (90, "", [f"90\t\\\\.", f"91\t\x1b[0m \\\\\\\x07 \\n é", "92\t\\N"]), (93, " (FORMAT csv, NULL 'none')", ['93,"a', '""; DROP TABLE x', '"', "94,none"]),
        ]:
            with connection.cursor().copy(f"COPY {table} (n, t) FROM STDIN{options}") as copy:
                copy.write("\n".join(lines))
        with contextlib.suppress(psycopg.Error):
            with connection.cursor().copy(f"COPY {table} (n, t) FROM STDIN") as copy:
                copy.write("95\tx\nno number\n")
        handle = connection.pgconn
        handle.enter_pipeline_mode()
        for numbers in [(100, 101), (102, 1, 103), (104,)]:
            for number in numbers:
                handle.send_query_params(f"INSERT INTO {table} (n) VALUES ($1)".encode(), [str(number).encode()])
            handle.pipeline_sync()
        handle.nonblocking = 0
        syncs = 0
        while syncs < 3:
            result = handle.get_result()
            syncs += result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC
        handle.exit_pipeline_mode()
        connection.prepare_threshold = 0
        for n in (110, 111):
            run(f"INSERT INTO {table} (n, arr) VALUES (%b, %b)", n, [["a", "b"], ["c\"", "\\"]])
        numbers = [row[0] for row in connection.execute(f"SELECT n FROM {table} ORDER BY n").fetchall()]
        run("BEGIN")
        run(f"INSERT INTO {table} (n) VALUES (120)")
        return numbers


def startup(*parameters):
    """Connects with further parameters, as key=value, and tells what the session then has."""

    def settings():
        with connect(**dict(pair.split("=", 1) for pair in parameters)) as connection:
            names = ["standard_conforming_strings", "client_encoding", "application_name", "search_path"]
            return {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in names}

    return outcome(settings)


async def through_asyncpg(table):
    import asyncpg

    mode = os.environ.get("PGSSLMODE")
    context = False
    if mode == "require":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif mode == "verify-full":
        context = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
    connection = await asyncpg.connect(
        host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), user=os.environ["PGUSER"],
        password=os.environ["PGPASSWORD"], database=os.environ["PGDATABASE"], ssl=context)
    try:
        await connection.execute(f"CREATE TABLE {table} (n bigint, t text, d date, j jsonb, a integer[])")
        await connection.executemany(
            f"INSERT INTO {table} VALUES ($1, $2, date '2020-01-01' + $1::bigint::int, jsonb_build_object('n', $1::bigint), ARRAY[$1::bigint::int, 7])",
            [(n, f"text {n}") for n in range(50)])
        record = await connection.fetchrow(
            f"SELECT sum(n)::bigint AS s, count(DISTINCT t) AS c, max(d) AS d FROM {table} WHERE n < $1", 40)
        statement = await connection.prepare("SELECT $1::int + $2::int")
        sums = [await statement.fetchval(n, n) for n in range(20)]
        async with connection.transaction():
            pieces = [row["n"] async for row in connection.cursor(f"SELECT n, j, a FROM {table} ORDER BY n", prefetch=10)]
        copied = await connection.copy_records_to_table(
            table, records=[(100, "copied", None, None, None)], columns=["n", "t", "d", "j", "a"])
        try:
            await connection.execute(f"DROP TABLE {table}")
            dropped = None
        except asyncpg.PostgresError as error:
            dropped = error.sqlstate
        return {
            "record": [record["s"], record["c"], str(record["d"])], "sums": sums, "pieces": pieces, "copied": copied,
            "dropped": dropped, "after": await connection.fetchval("SELECT 1"),
        }
    finally:
        await connection.close()


def repeated(piece, count):
    """A statement of one piece over and over; what became of it, and of the session. psql's own lexer would take minutes."""
    with connect() as connection:
        started = time.monotonic()
        try:
            connection.execute("SELECT " + piece * int(count))
            code = None
        except psycopg.Error as error:
            code = error.sqlstate
        alive = None if connection.closed else connection.execute("SELECT 'alive'").fetchone()[0]
        return {"code": code, "alive": alive, "seconds": time.monotonic() - started}


def told(connection):
    """Keeps what the server (or the gateway) says besides answers."""
    notices = []
    connection.add_notice_handler(lambda diagnostic: notices.append(f"{diagnostic.message_primary} {diagnostic.message_detail or ''}"))
    return notices


def held(sql, *parameters):
    """Runs a statement that may wait for an approval, and then another, to see that the session goes on."""
    with connect() as connection:
        notices = told(connection)

        def run():
            cursor = connection.execute(sql, parameters or None)
            return cursor.rowcount

        answer = outcome(run)
        return {"answer": answer, "notices": notices, "after": connection.execute("SELECT 1").fetchone()[0]}


def held_cancel(sql):
    """Cancels what waits, as soon as it is told that it does."""
    with connect() as connection:
        notices = told(connection)
        connection.add_notice_handler(lambda _: threading.Thread(target=connection.cancel_safe).start())
        answer = outcome(lambda: connection.execute(sql) and None)
        return {"answer": answer, "notices": notices, "after": connection.execute("SELECT 1").fetchone()[0]}


def held_pipeline(table, sql):
    """A held statement amid a pipeline of one transaction."""
    with connect() as connection:

        def run():
            with connection.pipeline():
                first = connection.execute(f"INSERT INTO {table} VALUES (1)")
                waits = connection.execute(sql)
                last = connection.execute(f"INSERT INTO {table} VALUES (2)")
            return [first.rowcount, waits.rowcount, last.rowcount]

        answer = outcome(run)
        return {"answer": answer, "rows": [row[0] for row in connection.execute(f"SELECT n FROM {table} ORDER BY n")]}


def held_leave(sql):
    """Is told that it waits, and goes away without a word."""
    connection = connect()
    connection.add_notice_handler(lambda _: os._exit(0))
    connection.execute(sql)


def raw(*statements):
    """The bytes of every value, in hexadecimal, of one row a query: in text and in binary, and what a COPY of it gives."""
    answer = {}
    with connect() as connection:
        for sql in statements:
            if sql.startswith("COPY"):
                with connection.cursor().copy(sql) as copy:
                    answer[sql] = b"".join(bytes(piece) for piece in copy).hex()
                continue
            for result_format in (0, 1):
                result = connection.pgconn.exec_params(sql.encode(), None, result_format=result_format)
                if result.status != pq.ExecStatus.TUPLES_OK:
                    raise SystemExit(result.error_message.decode())
                answer[f"{result_format} {sql}"] = {
                    result.fname(column).decode(): [
                        None if (value := result.get_value(row, column)) is None else value.hex() for row in range(result.ntuples)
                    ] for column in range(result.nfields)}
    return answer


def accepted():
    """Standard input: a JSON array of [type, format, hexadecimal or null]; each is sent as a value, and comes back as text."""
    answers = []
    with connect() as connection:
        for name, value_format, value in json.load(sys.stdin):
            oid = connection.execute("SELECT %s::regtype::oid", [name]).fetchone()[0]
            result = connection.pgconn.exec_params(
                f"SELECT ($1::{name})::text".encode(), [None if value is None else bytes.fromhex(value)], [oid], [value_format])
            if result.status != pq.ExecStatus.TUPLES_OK:
                raise SystemExit(f"{name} {value}: {result.error_message.decode()}")
            value = result.get_value(0, 0)
            answers.append(None if value is None else value.decode())
    return answers


SCENARIOS = {
    "raw": raw, "accepted": accepted,
    "held": held, "held-cancel": held_cancel, "held-pipeline": held_pipeline,
    "held-leave": held_leave,
    "select": select, "cancel": cancel, "listen": listen, "large": large, "many-rows": many_rows, "transaction": transaction,
    "savepoint": savepoint, "pipeline": pipeline, "copy-out": copy_out, "copy-in": copy_in, "copy-in-denied": copy_in_denied,
    "repeated": repeated, "cursor": cursor, "script": script, "exported": exported, "startup": startup, "asyncpg": lambda table: asyncio.run(through_asyncpg(table)),
}

if __name__ == "__main__":
    json.dump(SCENARIOS[sys.argv[1]](*sys.argv[2:]), sys.stdout)
