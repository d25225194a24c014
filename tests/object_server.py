"""An object storage of the tests on this machine, and a way to it that fails as it is told.

It is moto's, or whichever the variable DATA_DESIGNER_TEST_STORAGE names, with the keys of the usual variables:

    export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... AWS_REGION=us-east-1
    DATA_DESIGNER_TEST_STORAGE=http://127.0.0.1:9000 python -m pytest tests -k object
"""

import html
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.loopback import free_port

ELSEWHERE = os.environ.get("DATA_DESIGNER_TEST_STORAGE")
"""The storage to be tested with, where it is not the one that is started here."""
ACCOUNT = os.environ.get("AWS_ACCESS_KEY_ID", "") if ELSEWHERE else "tester"
SECRET = os.environ.get("AWS_SECRET_ACCESS_KEY", "") if ELSEWHERE else "a-secret-that-nobody-may-see"
REGION = os.environ.get("AWS_REGION", "us-east-1") if ELSEWHERE else "us-east-1"
LIMIT = 60.0
"""Seconds after which a server that does not come up is given up."""
DENIED = (400, "InvalidRequest")
"""What is refused so is not tried again."""
SERVER = """
import sys, threading
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

application, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

def one_at_a_time(environ, respond):
    with turn:
        return list(application(environ, respond))

run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True)
"""
"""One request at a time: this server looks whether a name is free and then writes, a real one does both at once."""


@contextmanager
def object_server() -> Iterator[str]:
    """A server that speaks S3, run in a process of its own where none is named; gives its URL."""
    if ELSEWHERE:
        yield ELSEWHERE
        return
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        assert process.poll() is None, "the object server ended"
        with suppress(OSError), urllib.request.urlopen(f"{url}/moto-api/") as reply:  # noqa: S310 - a loopback address
            reply.read()
            return
        time.sleep(0.05)
    raise AssertionError("the object server does not answer")


def environment(server: str) -> dict[str, str]:
    """What the environment of a process says about the server."""
    return {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": server,
        "AWS_ALLOW_HTTP": "true",
    }


@dataclass(frozen=True)
class Bucket:
    """A bucket, looked at and changed past the code that is tested."""

    server: str
    name: str

    @classmethod
    def made(cls, server: str) -> "Bucket":
        """Make a new one."""
        bucket = cls(server, f"bucket-{uuid.uuid4().hex[:12]}")
        bucket._ask("PUT", "")
        return bucket

    @property
    def url(self) -> str:
        """How users name it."""
        return f"s3://{self.name}"

    def keys(self, folder: str = "") -> list[str]:
        """Keys of all objects, or of those below a folder."""
        query = urllib.parse.urlencode({"list-type": 2, "prefix": f"{folder}/" if folder else ""})
        listing = self._ask("GET", f"?{query}").decode()
        return sorted(html.unescape(key) for key in re.findall(r"<Key>(.*?)</Key>", listing))

    def content(self, key: str) -> bytes:
        """The content of an object."""
        return self._ask("GET", urllib.parse.quote(key))

    def contents(self, folder: str = "") -> dict[str, bytes]:
        """The content of each object below a folder, by its key there."""
        return {key.removeprefix(f"{folder}/"): self.content(key) for key in self.keys(folder)}

    def put(self, key: str, content: bytes) -> None:
        """Make or replace an object."""
        self._ask("PUT", urllib.parse.quote(key), content)

    def remove(self, key: str) -> None:
        """Remove an object."""
        self._ask("DELETE", urllib.parse.quote(key))

    def _ask(self, method: str, rest: str, content: bytes = b"") -> bytes:
        url = f"{self.server}/{self.name}/{rest}"
        headers = {"Content-Type": "application/octet-stream"}
        signed = AWSRequest(method, url, data=content, headers=headers)
        S3SigV4Auth(Credentials(ACCOUNT, SECRET), "s3", REGION).add_auth(signed)
        request = urllib.request.Request(url, content, dict(signed.headers), method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as reply:  # noqa: S310 - loopback
            answer: bytes = reply.read()
            return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    who: str
    """The name that whoever asks has at the storage."""
    size: int
    """Bytes that it brings along."""


@dataclass
class FaultyWay:
    """A proxy before the server. It loses answers, refuses requests, and is unreachable, as it is told."""

    server: str
    port: int = field(default_factory=free_port)
    asked: list[Asked] = field(default_factory=list)
    refused: threading.Event = field(default_factory=threading.Event)
    """A request has been refused."""
    changed: threading.Event = field(default_factory=threading.Event)
    """A request has changed something."""
    _to_lose: int = 0
    """Which request to come, of those that change something, is carried out and not answered; 0 for none."""
    _loses_every: int = 0
    """After how many of them another one is lost; 0 for never."""
    _to_refuse: int = 0
    """Since which of them all are refused for good; 0 for none."""
    _refusal: tuple[int, str] | None = None
    _listening: _Server | None = None
    _connections: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def lose_answer(self, number: int = 1) -> None:
        """Carry out the request of this number, from now on, of those that change something, and never answer it."""
        self._to_lose = number

    def lose_every(self, number: int) -> None:
        """Do so again and again."""
        self._to_lose = self._loses_every = number

    def refuse_from(self, number: int) -> None:
        """Refuse what changes something from the request of this number on, from now on."""
        self._to_refuse = number

    def settle(self) -> None:
        """Pass everything on from now on."""
        self._to_lose = self._loses_every = self._to_refuse = 0
        self._refusal = None

    @contextmanager
    def refusing(self, status: int = 503, code: str = "SlowDown") -> Iterator[None]:
        """Refuse every request meanwhile."""
        self._refusal = (status, code)
        try:
            yield
        finally:
            self._refusal = None

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Refuse connections meanwhile, and break those there are."""
        self.close()
        try:
            yield
        finally:
            self.open()

    def open(self) -> None:
        """Listen."""
        self._listening = _Server(("127.0.0.1", self.port), type("Handler", (_Handler,), {"way": self}))
        threading.Thread(target=self._listening.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        assert self._listening is not None
        self._listening.shutdown()
        self._listening.server_close()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def came(self, connection: socket.socket) -> None:
        """Remember a connection."""
        with self._lock:
            self._connections.add(connection)

    def went(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._connections.discard(connection)

    def note(self, asked: Asked) -> tuple[tuple[int, str] | None, bool]:
        """Count a request; says how it is refused, if it is, and whether its answer is lost."""
        with self._lock:
            self.asked.append(asked)
            if self._refusal is not None or asked.method in ("GET", "HEAD"):
                return self._refused(), False
            if self._to_refuse == 1:
                self._refusal = DENIED
            lost = self._to_lose == 1
            self._to_lose = self._loses_every if lost else max(0, self._to_lose - 1)
            self._to_refuse = max(0, self._to_refuse - 1)
            return self._refused(), lost

    def _refused(self) -> tuple[int, str] | None:
        if self._refusal is not None:
            self.refused.set()
        return self._refusal


class _Handler(BaseHTTPRequestHandler):
    """Passes requests on."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    way: FaultyWay

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def setup(self) -> None:
        """Begin a connection."""
        super().setup()
        self.way.came(self.connection)

    def finish(self) -> None:
        """End a connection, which may be broken already."""
        self.way.went(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        """Serve a connection until it ends, one way or another."""
        with suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        """Pass a request on, or do to it what was told."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = re.search(r"Credential=([^/]*)", self.headers.get("Authorization", ""))
        who = found.group(1) if found else ""
        refusal, lost = self.way.note(Asked(self.command, self.path, who, len(body)))
        if refusal is not None:
            status, code = refusal
            self._answer(status, {}, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())
            return
        status, headers, content = self._passed_on(body)
        if self.command not in ("GET", "HEAD"):
            self.way.changed.set()
        if lost:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._answer(status, headers, content)

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 - so they are called

    def _passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        onward = http.client.HTTPConnection(urllib.parse.urlsplit(self.way.server).netloc)
        try:
            onward.request(self.command, self.path, body, dict(self.headers))
            reply = onward.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        finally:
            onward.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(content))
        for name, value in {**headers, "content-length": length, "connection": "keep-alive"}.items():
            if name != "transfer-encoding":
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()


@contextmanager
def faulty_way(server: str) -> Iterator[FaultyWay]:
    """Put a proxy before a server."""
    way = FaultyWay(server)
    way.open()
    try:
        yield way
    finally:
        way.close()
