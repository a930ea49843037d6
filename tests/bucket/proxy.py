#!/usr/bin/env python3
"""An HTTP proxy before an S3 server, that counts requests and makes them fail: proxy.py UPSTREAM_PORT [PORT]

Prints its port, then serves. Control, all answered in JSON:

GET  /__counts           requests since the last reset: {"total": n, "by": {"PUT cocli/wal": n, ...}, "failed": n,
                         "peak": most at a time, "deep": {"PUT cocli/wal/pi1": n, "LIST cocli": n, ...}}; a key counts
                         by its first two parts, in "deep" by three, and there a listing by itself
POST /__reset            forgets counts and faults
POST /__faults           a list of faults, in place of those before; each may have
    do       status (default) | reset (mid-body) | drop (answer lost, after upstream did it) | close (before
             it) | cut (a body too short for its length) | stall (half a body, then silence)
             | forget-condition (If-None-Match is not passed on)
    status   500, 503, 429, 403, 409, ...    code  the code in its XML
    percent  of the requests that match, default 100
    method   only these ("PUT")              key   only where the path has this in it
    kth      only the k-th request that matches, from 1 on    for_good  and all after it
    delay    seconds to wait before anything
    seed     for the draws, default 1

PUTs go upstream one at a time, so a server that checks and writes in two steps is whole behind it."""

import http.client
import json
import random
import socket
import struct
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep

STALL = 5
HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}


class Fault:
    def __init__(self, said):
        self.said = said
        self.draws = random.Random(said.get("seed", 1))
        self.matched = 0

    def hits(self, method, path):
        if self.said.get("method", method) != method or self.said.get("key", "") not in path:
            return False
        self.matched += 1
        kth = self.said.get("kth")
        if kth and self.matched != kth and not (self.said.get("for_good") and self.matched > kth):
            return False
        return self.draws.random() * 100 < self.said.get("percent", 100)


class State:
    def __init__(self, upstream):
        self.upstream = upstream
        self.lock = threading.Lock()
        self.puts = threading.Lock()
        self.running = 0
        self.reset()

    def reset(self):
        self.counts, self.failed, self.faults, self.peak, self.deep = Counter(), 0, [], 0, Counter()

    def next_fault(self, method, path):
        parts = path.split("?")[0].strip("/").split("/")
        with self.lock:
            self.counts[f"{method} {'/'.join(parts[:2])}"] += 1
            listing = method == "GET" and "list-type=" in path
            self.deep[f"{'LIST' if listing else method} {'/'.join(parts[:3])}"] += 1
            for fault in self.faults:
                if fault.hits(method, path):
                    self.failed += 1
                    return fault.said
        return None

    def told(self):
        with self.lock:
            total = sum(self.counts.values())
            return {"total": total, "by": self.counts, "failed": self.failed, "peak": self.peak, "deep": self.deep}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *_):
        pass

    def body(self):
        """A body of known length, or in chunks, as it is."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, headers, body, sent=None):
        """`sent` bytes of the body only, and then the connection is gone."""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP | {"content-length"}:
                self.send_header(name, value)
        length = dict((name.lower(), value) for name, value in headers).get("content-length")
        head = self.command == "HEAD"
        self.send_header("Content-Length", length if head and length else str(len(body)))
        self.end_headers()
        if not head:
            self.wfile.write(body if sent is None else body[:sent])
        if sent is not None:
            self.wfile.flush()

    def hang_up(self, reset=True):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def control(self, body):
        if self.path == "/__reset":
            with self.state.lock:
                self.state.reset()
        elif self.path == "/__faults":
            with self.state.lock:
                self.state.faults = [Fault(said) for said in json.loads(body)]
        told = json.dumps(self.state.told()).encode()
        self.answer(200, [("Content-Type", "application/json")], told)

    def upstream(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.state.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        if body or self.command in ("PUT", "POST"):
            headers["Content-Length"] = str(len(body))
        try:
            if self.command == "PUT":
                with self.state.puts:
                    return self.ask(connection, body, headers)
            return self.ask(connection, body, headers)
        finally:
            connection.close()

    def ask(self, connection, body, headers):
        # The host is part of what is signed: it goes on as it came.
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def serve(self):
        body = self.body()
        if self.path.startswith("/__"):
            return self.control(body)
        with self.state.lock:
            self.state.running += 1
            self.state.peak = max(self.state.peak, self.state.running)
        try:
            return self.pass_on(body)
        finally:
            with self.state.lock:
                self.state.running -= 1

    def pass_on(self, body):
        fault = self.state.next_fault(self.command, self.path)
        if not fault:
            return self.answer(*self.upstream(body))
        sleep(fault.get("delay", 0))
        does = fault.get("do", "status")
        if does == "status" and "status" in fault:
            code = fault.get("code", "Injected")
            text = f"<Error><Code>{code}</Code><Message>by plan</Message></Error>".encode()
            return self.answer(fault["status"], [("Content-Type", "application/xml")], text)
        if does == "close":
            return self.hang_up()
        if does == "forget-condition":
            del self.headers["If-None-Match"]
        status, headers, content = self.upstream(body)
        if does == "drop":
            return self.hang_up()
        if does in ("reset", "cut", "stall"):
            self.answer(status, headers, content, len(content) // 2)
            sleep(STALL if does == "stall" and content else 0)
            # Without a body there is none to break: the answer is whole then.
            return self.hang_up(does == "reset") if content else None
        return self.answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that hung up is no news."""


def main():
    Handler.state = State(int(sys.argv[1]))
    server = Server(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
