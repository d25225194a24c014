"""Serves the report of a dataset on this machine, as a page that follows the run which makes it."""

import importlib
import importlib.util
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from data_designer.engine.observe.views import notebook
from data_designer.interface.watching import Watch, said_of

_REPORT = "data_designer.interface.report"
_FRESH = 5.0
"""Seconds for which a report is given again; longer where it takes long to be made."""
_SHARE = 10
"""A report takes one part in so many of the time at most."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }}
  body {{ margin: 0; display: flex; flex-direction: column; height: 100vh }}
  #now {{ padding: .5em 1em; border-bottom: 1px solid #8886; max-height: 45vh; overflow: auto }}
  iframe {{ flex: 1; border: 0; width: 100% }}
</style></head>
<body><div id="now" aria-live="polite">…</div><iframe id="report" src="/report" title="report"></iframe>
<script>
let running = true, loaded = Date.now();
async function look() {{
  try {{
    const now = await (await fetch("/now.json")).json();
    document.getElementById("now").innerHTML = now.html;
    if ((running && !now.running) || (now.running && Date.now() - loaded > {reload})) {{
      loaded = Date.now();
      document.getElementById("report").contentWindow.location.reload();
    }}
    running = now.running;
  }} catch (error) {{ document.getElementById("now").textContent = "data-designer watch has ended"; }}
  setTimeout(look, running ? 1000 : 5000);
}}
look();
</script></body></html>
"""
_RELOAD = 15_000
"""Milliseconds after which the report is loaded again while the run goes on."""


class Pages:
    """What is served: the page, how the run stands, and the report.

    Args:
        watch: looks at the run.
        report: makes the report.
    """

    def __init__(self, watch: Watch, report: Callable[[], str] | None = None) -> None:
        self._watch = watch
        self._make = report or (lambda: _report(watch))
        self._lock = threading.Lock()
        self._report = ""
        self._fresh_until = float("-inf")

    def page(self, path: str) -> tuple[str, str] | None:
        """Content type and content of a path; None where there is nothing."""
        name = path.partition("?")[0]
        if name == "/":
            return "text/html", _PAGE.format(title=escape(str(self._watch.store.path)), reload=_RELOAD)
        if name == "/now.json":
            return "application/json", self._now()
        return ("text/html", self._latest()) if name == "/report" else None

    def _now(self) -> str:
        look = self._watch.look()
        html = "" if look.snapshot is None else notebook.html(look.snapshot)
        if not look.is_running:
            html = "".join(f"<div>{escape(line)}</div>" for line in said_of(look, self._watch.store.path))
        snapshot = None if look.snapshot is None else look.snapshot.to_dict()
        return json.dumps({"running": look.is_running, "html": html, "snapshot": snapshot})

    def _latest(self) -> str:
        with self._lock:
            began = time.monotonic()
            if began > self._fresh_until:
                self._report = self._make()
                took = time.monotonic() - began
                self._fresh_until = time.monotonic() + max(_FRESH, _SHARE * took)
            return self._report


def _report(watch: Watch) -> str:
    """The report of what is there; where that cannot be made yet, why."""
    if importlib.util.find_spec(_REPORT) is None:
        return _plain("There is no report in this version.")
    try:
        return str(importlib.import_module(_REPORT).report_html(watch.store))
    except Exception as error:  # noqa: BLE001 - whatever is half written; the next one may be whole
        return _plain(f"There is no report yet: {error}")


def _plain(text: str) -> str:
    return f'<!doctype html><meta charset="utf-8"><p style="font:15px system-ui;color:GrayText">{escape(text)}</p>'


@contextmanager
def serving(pages: Pages, port: int) -> Iterator[str]:
    """Serve pages on the loopback for as long as the context lasts. Yields the address.

    Args:
        pages: what is served.
        port: 0 for any that is free.

    Raises:
        OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A page from elsewhere whose name leads here is not to read the data.
            host = self.headers.get("Host", "").rpartition(":")[0]
            found = pages.page(self.path) if host in ("127.0.0.1", "localhost") else None
            kind, content = found or ("text/plain", "see /")
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Cache-Control", "no-store")
            body = content.encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing else prints beside the panel."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="watch", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
