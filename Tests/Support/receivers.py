"""Receivers of events on loopback: syslog over TCP (octet counting) and HTTP. The first line says their ports, each other line is
one message, both as JSON."""

import http.server
import json
import socketserver
import threading

lock = threading.Lock()


def say(**message):
    with lock:
        print(json.dumps(message), flush=True)


class Syslog(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            digits = b""
            while (byte := self.rfile.read(1)) != b" ":
                if not byte:
                    return
                digits += byte
            say(syslog=self.rfile.read(int(digits)).decode())


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        say(hook={"headers": {name.lower(): value for name, value in self.headers.items()}, "body": body})
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


syslog = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Syslog)
syslog.daemon_threads = True
hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
say(syslog_port=syslog.server_address[1], hook_port=hook.server_address[1])
threading.Thread(target=syslog.serve_forever, daemon=True).start()
hook.serve_forever()
