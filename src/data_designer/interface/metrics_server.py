"""Serves metrics to a Prometheus on this machine while a dataset is made."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

logger = logging.getLogger(__name__)

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@contextmanager
def serving(exposition: Callable[[], str], port: int | None) -> Iterator[None]:
    """Answer `GET /metrics` on 127.0.0.1 for as long as the context lasts; a port that is taken is no reason to stop.

    Args:
        exposition: gives the text.
        port: None for no server.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.partition("?")[0] == "/metrics"
            content = exposition().encode() if found else b"see /metrics\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", _TYPE)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it is called with
            logger.debug(format, *args)

    try:
        server = None if port is None else ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        logger.debug("metrics are not served: 127.0.0.1:%s: %s", port, error)
        server = None
    if server is None:
        yield
        return
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
