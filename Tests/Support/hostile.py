#!/usr/bin/env python3
"""A client that breaks the protocol, inside TLS where that is where it hurts. Prints one JSON value.

usage: hostile.py SCENARIO [SECONDS]      PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE say where to
Most scenarios answer {"error": the ErrorResponse's fields or null, "closed": whether the gateway closed the connection}.
"""
import json
import os
import random
import socket
import ssl
import struct
import sys

SSL_REQUEST = struct.pack("!II", 8, 80877103)
PROTOCOL_3_0 = 196608


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


def fields(body):
    return {field[:1].decode(): field[1:].decode(errors="replace") for field in body.split(b"\0") if field}


def startup_packet(parameters, version=PROTOCOL_3_0):
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!II", len(body) + 8, version) + body


class Client:
    def __init__(self, tls=True):
        self.socket = socket.create_connection((os.environ["PGHOST"], int(os.environ["PGPORT"])), timeout=20)
        self.buffer = b""
        if tls:
            self.socket.sendall(SSL_REQUEST)
            answer = self.socket.recv(1)
            if answer != b"S":
                sys.exit(f"no TLS: {answer!r}")
            self.wrap()

    def wrap(self, alpn=None):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols([alpn])
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def startup(self):
        self.send(startup_packet({"user": os.environ["PGUSER"], "database": os.environ["PGDATABASE"]}))
        kind, body = self.next()
        if (kind, body) != (b"R", struct.pack("!I", 3)):
            sys.exit(f"no request for a password: {kind!r} {body!r}")

    def ready(self):
        """Logs in, up to ReadyForQuery."""
        self.startup()
        self.send(message(b"p", os.environ["PGPASSWORD"].encode() + b"\0"))
        while True:
            kind, body = self.next()
            if kind == b"Z":
                return self
            if kind in (b"E", None):
                sys.exit(f"no session: {body!r}")

    def next(self):
        """The next message, or (None, why) when the connection is closed or silent."""
        try:
            while len(self.buffer) < 5 or len(self.buffer) < 1 + struct.unpack("!I", self.buffer[1:5])[0]:
                data = self.socket.recv(65536)
                if not data:
                    return None, "closed"
                self.buffer += data
        except TimeoutError:
            return None, "silent"
        except OSError:
            return None, "closed"
        length = struct.unpack("!I", self.buffer[1:5])[0]
        kind, body = self.buffer[:1], self.buffer[5 : 1 + length]
        self.buffer = self.buffer[1 + length :]
        return kind, body

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def ending(self):
        """What the gateway says last."""
        error = None
        while True:
            kind, body = self.next()
            if kind is None:
                return {"error": error, "closed": body == "closed"}
            if kind == b"E":
                error = fields(body)

    def until_ready(self):
        """What comes up to the next ReadyForQuery."""
        error, found = None, []
        while True:
            kind, body = self.next()
            if kind is None:
                return {"error": error, "rows": found, "ready": False}
            if kind == b"E":
                error = fields(body)
            if kind == b"D":
                found.append(body[6:].decode("latin-1"))
            if kind == b"Z":
                return {"error": error, "rows": found, "ready": True, "status": body.decode()}


def after_login(data):
    client = Client().ready()
    client.send(data)
    return client.ending()


def before_login(data, tls=True):
    client = Client(tls)
    client.send(data)
    return client.ending()


def before_tls():
    """A startup packet in clear right behind the SSLRequest must not count as if it had come through TLS."""
    client = Client(tls=False)
    client.send(SSL_REQUEST + startup_packet({"user": os.environ["PGUSER"]}))
    first = b""
    try:
        first = client.socket.recv(1)
        if first != b"S":
            client.buffer = first
            return {"offered": False} | client.ending()
        client.wrap()
    except OSError:
        return {"offered": first == b"S", "error": None, "closed": True}
    # TLS is there: if the packet in clear had been kept, an authentication request would come now, unasked for.
    client.socket.settimeout(3)
    kind, body = client.next()
    return {"offered": True, "error": None, "closed": kind is None and body == "closed", "answered": kind is not None}


def garbage():
    generator = random.Random(7)
    return [before_login(generator.randbytes(200)) for _ in range(6)] + [after_login(generator.randbytes(2000)) for _ in range(6)]


def query_for_password():
    client = Client()
    client.startup()
    client.send(message(b"Q", b"SELECT 1\0"))
    return client.ending()


def huge_password():
    client = Client()
    client.startup()
    client.send(message(b"p", b"x" * 70_000 + b"\0"))
    return client.ending()


def direct_tls():
    """TLS at once, without an SSLRequest, as libpq 17 does with sslnegotiation=direct."""
    client = Client(tls=False)
    client.wrap("postgresql")
    client.ready()
    client.send(message(b"Q", b"SELECT 42\0"))
    return client.until_ready() | {"alpn": client.socket.selected_alpn_protocol()}


def function_call():
    """The FunctionCall message (a fast path around SQL): 1598 is random()."""
    client = Client().ready()
    client.send(message(b"F", struct.pack("!IHHH", 1598, 0, 0, 0)))
    return client.until_ready()


def silent():
    """Connects and says nothing: the gateway must let go by its own deadline."""
    client = Client(tls=False)
    client.socket.settimeout(float(sys.argv[2]))
    return client.ending()


HUGE = struct.pack("!I", 0x7FFFFFFF)
SCENARIOS = {
    "before-tls": before_tls,
    "bind-counts": lambda: after_login(
        message(b"P", b"\0SELECT 1\0\0\0") + message(b"B", b"\0\0" + struct.pack("!hhh", -1, -1, -1)) + message(b"S", b"") + b"X\0\0\0\4"),
    "direct-tls": direct_tls,
    "function-call": function_call,
    "garbage": garbage,
    "huge-password": huge_password,
    "negative-length": lambda: after_login(b"Q" + struct.pack("!i", -1)),
    "oversize": lambda: after_login(b"Q" + HUGE + b"SELECT 1"),
    "plaintext": lambda: before_login(startup_packet({"user": os.environ["PGUSER"]}), tls=False),
    "query-for-password": query_for_password,
    "short-length": lambda: after_login(b"Q" + struct.pack("!i", 3)),
    "silent": silent,
    "startup-8": lambda: before_login(struct.pack("!II", 8, PROTOCOL_3_0), tls=False),
    "startup-8-in-tls": lambda: before_login(struct.pack("!II", 8, PROTOCOL_3_0)),
    "startup-huge": lambda: before_login(HUGE + struct.pack("!I", PROTOCOL_3_0), tls=False),
    "startup-no-user": lambda: before_login(startup_packet({})),
    "startup-version": lambda: before_login(startup_packet({"user": os.environ["PGUSER"]}, version=131072)),
    "unknown-message": lambda: after_login(message(b"!", b"")),
    "unterminated": lambda: after_login(message(b"Q", b"SELECT 1")),
}

if __name__ == "__main__":
    json.dump(SCENARIOS[sys.argv[1]](), sys.stdout)
