"""An endpoint that counts what it is asked, and answers as a test tells it to."""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the endpoint does with one request."""

    text: str = "fine"
    status: int = 200
    seconds: float = 0.0
    dimensions: int = 12
    """Of vectors, twelve at most."""


Behaviour = Callable[[str], Reply]
"""From the prompt of a request to what comes of it; called in a thread of each request."""


@dataclass
class CountingEndpoint:
    """An OpenAI-compatible endpoint that counts, and answers as a test tells it to."""

    behave: Behaviour
    url: str = ""
    prompts: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    spans: list[tuple[str, float, float]] = field(default_factory=list)
    """(prompt, arrival, departure) of each request, on the machine's monotonic clock."""
    connections: set[int] = field(default_factory=set)
    """Ports of its clients."""
    in_flight: int = 0
    peak: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, prompt: str, body: dict[str, Any]) -> Reply:
        """Count a request and answer it."""
        arrived = time.monotonic()
        with self.lock:
            self.prompts.append(prompt)
            self.bodies.append(body)
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
        reply = self.behave(prompt)
        time.sleep(reply.seconds)
        with self.lock:
            self.in_flight -= 1
            self.spans.append((prompt, arrived, time.monotonic()))
        return reply


Endpoint = Callable[[Behaviour], AbstractContextManager[CountingEndpoint]]
"""What the fixture `endpoint` gives."""


def embedding_of(text: str) -> list[float]:
    """The vector of a text."""
    return [byte / 256 for byte in hashlib.sha256(text.encode()).digest()[:12]]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print a traceback, but of what comes of a client that was killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers chat completions, and rows as a validator does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    endpoint: CountingEndpoint

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer one."""
        self.endpoint.connections.add(self.client_address[1])
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "input" in body:
            self._embed(body)
            return
        if "data" in body:
            self._judge(body)
            return
        prompt = next(m for m in body["messages"] if m["role"] == "user")["content"]
        reply = self.endpoint.answered(prompt, body)
        message = {"role": "assistant", "content": reply.text}
        good = {
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        }
        self._say(reply, good)

    def _embed(self, body: dict[str, Any]) -> None:
        """Answer a request for embeddings, whose prompt is all of its texts, a line each; backwards, as some do."""
        texts = body["input"]
        reply = self.endpoint.answered("\n".join(texts), body)
        items = [
            {"index": place, "embedding": embedding_of(text)[: reply.dimensions]} for place, text in enumerate(texts)
        ]
        self._say(reply, {"data": items[::-1], "usage": {"prompt_tokens": 3 * len(texts)}})

    def _judge(self, body: dict[str, Any]) -> None:
        """Answer a validator's rows with a text as it is; with no status, by closing the connection."""
        reply = self.endpoint.answered(json.dumps(body["data"]), body)
        if reply.status:
            self._send(reply.status, reply.text)
        else:
            self.close_connection = True

    def _say(self, reply: Reply, good: object) -> None:
        self._send(reply.status, json.dumps(good if reply.status == 200 else {"error": {"message": reply.text}}))

    def _send(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


@contextmanager
def serve(behave: Behaviour) -> Iterator[CountingEndpoint]:
    """Run a counting endpoint."""
    endpoint = CountingEndpoint(behave)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"endpoint": endpoint}))
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
