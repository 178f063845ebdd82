#!/usr/bin/env python3
"""A program that logs in with SASL OAUTHBEARER: libpq 18, which asks the program for the token (PQsetAuthDataHook).

usage: oauth.py ISSUER SQL     the way in comes from libpq's environment variables, the token from GATEHOUSE_TEST_TOKEN

Prints one JSON value: what the statement answers or the error, and what libpq was told when it asked for the token.
psycopg brings libpq 18 and has no such hook, so that its library is called as a C program would.
"""
import ctypes as c
import glob
import json
import os
import sys

import psycopg  # before psycopg_binary, which refuses to be the first
import psycopg_binary

assert psycopg.pq.__impl__ == "binary"
folder = os.path.join(os.path.dirname(os.path.dirname(psycopg_binary.__file__)), "psycopg_binary.libs")
pq = c.CDLL(glob.glob(os.path.join(folder, "libpq-*.so*"))[0])
if pq.PQlibVersion() < 180000:
    sys.exit(f"libpq {pq.PQlibVersion()} has no OAUTHBEARER")

TOKEN_WANTED = 1  # PQAUTHDATA_OAUTH_BEARER_TOKEN
TUPLES_OK = 2  # PGRES_TUPLES_OK


class Request(c.Structure):
    """PGoauthBearerRequest of libpq-fe.h."""

    _fields_ = [
        ("openid_configuration", c.c_char_p),
        ("scope", c.c_char_p),
        ("poll", c.c_void_p),
        ("cleanup", c.c_void_p),
        ("token", c.c_char_p),
        ("user", c.c_void_p),
    ]


token = os.environ["GATEHOUSE_TEST_TOKEN"].encode()
asked = []


@c.CFUNCTYPE(c.c_int, c.c_int, c.c_void_p, c.POINTER(Request))
def hook(kind, connection, request):
    if kind != TOKEN_WANTED:
        return 0
    asked.append({"configuration": request[0].openid_configuration.decode(), "scope": (request[0].scope or b"").decode()})
    request[0].token = token
    return 1


for name, result, arguments in [
    ("PQconnectdb", c.c_void_p, [c.c_char_p]),
    ("PQstatus", c.c_int, [c.c_void_p]),
    ("PQerrorMessage", c.c_char_p, [c.c_void_p]),
    ("PQexec", c.c_void_p, [c.c_void_p, c.c_char_p]),
    ("PQresultStatus", c.c_int, [c.c_void_p]),
    ("PQgetvalue", c.c_char_p, [c.c_void_p, c.c_int, c.c_int]),
]:
    function = getattr(pq, name)
    function.restype, function.argtypes = result, arguments

pq.PQsetAuthDataHook(hook)
issuer, sql = sys.argv[1:]
connection = pq.PQconnectdb(f"oauth_issuer={issuer} oauth_client_id=test".encode())
answer = {"asked": asked}
if pq.PQstatus(connection) != 0:
    answer["error"] = pq.PQerrorMessage(connection).decode()
else:
    result = pq.PQexec(connection, sql.encode())
    if pq.PQresultStatus(result) == TUPLES_OK:
        answer["value"] = pq.PQgetvalue(result, 0, 0).decode()
    else:
        answer["error"] = pq.PQerrorMessage(connection).decode()
print(json.dumps(answer))
