"""One MySQL client of Python's against a server: usage: mysql_clients.py CLIENT PORT CA; the password is in TOKEN."""

import os
import sys

client, port, authority = sys.argv[1], int(sys.argv[2]), sys.argv[3]
token = os.environ["TOKEN"]


def check(cursor, text, parameters=None, prepared=False):
    cursor.execute(text, parameters) if parameters else cursor.execute(text)
    rows = cursor.fetchall()
    assert len(rows) == 1, rows
    first = rows[0][0]
    first = first.decode() if isinstance(first, (bytes, bytearray)) else first
    assert first == "orders", rows


if client == "pymysql":
    import pymysql

    connection = pymysql.connect(
        host="127.0.0.1", port=port, user="orders", password=token, database="shop", ssl={"ca": authority, "check_hostname": False})
    cursor = connection.cursor()
    check(cursor, "SELECT 1")
    check(cursor, "SELECT %s", ("it's",))
    connection.ping()
    connection.close()
elif client in ("connector", "connector-c"):
    import mysql.connector

    if client == "connector-c" and not mysql.connector.HAVE_CEXT:
        print("ok: without the C extension here")
        sys.exit()
    connection = mysql.connector.connect(
        host="127.0.0.1", port=port, user="orders", password=token, database="shop", ssl_ca=authority, ssl_verify_cert=True,
        use_pure=client == "connector")
    cursor = connection.cursor()
    check(cursor, "SELECT 1")
    cursor.close()
    cursor = connection.cursor(prepared=True)
    check(cursor, "SELECT ?, ?", (1, "two"))
    cursor.close()
    connection.cmd_change_user(username="orders", password=token, database="other")
    connection.cmd_reset_connection()
    connection.close()
elif client == "mysqlclient":
    import MySQLdb

    connection = MySQLdb.connect(
        host="127.0.0.1", port=port, user="orders", passwd=token, db="shop", ssl={"ca": authority})
    cursor = connection.cursor()
    check(cursor, "SELECT 1")
    connection.change_user("orders", token, "other")
    check(connection.cursor(), "SELECT 2")
    connection.close()
print("ok")
