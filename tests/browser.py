"""A headless Chromium that shows a page, by the DevTools protocol over pipes."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

PATIENCE = 60
"""Seconds until a browser that answers nothing is ended."""


def found() -> str | None:
    """The browser of this machine, if it has one."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None) if shutil.which("bash") else None


class Page:
    """A tab: what it shows, and what it has said and asked for since it was opened."""

    def __init__(self, browser: "_Pipes") -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = browser.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session: str = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for something, and wait for the answer."""
        return self._browser.call(method, params or {}, self._session)

    def open(self, path: Path, query: str = "") -> None:
        """Show a file, asked for with a query if there is one, and wait until it is loaded."""
        self._browser.events.clear()
        self.call("Page.navigate", {"url": path.as_uri() + (f"?{query}" if query else "")})
        self._browser.wait("Page.loadEventFired")

    def size(self, width: int, height: int) -> None:
        """Give the window a size, in pixels of CSS."""
        mobile = width < 600
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.call("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, **features: str) -> None:
        """What its user prefers, such as `prefers_color_scheme="dark"`."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", {"features": listed})

    def run(self, script: str) -> Any:
        """What an expression comes to."""
        answer = self.call("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True})
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression is true of what it shows."""
        look = f"({condition}) ? done() : requestAnimationFrame(look)"
        self.run(f"new Promise((done) => {{ const look = () => {look}; look(); }})")

    def press(self, key: str, code: int) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", event)

    @property
    def complaints(self) -> list[str]:
        """What it wrote on its console, errors of scripts, and what it was not allowed to do."""
        named = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [json.dumps(event["params"]) for event in self._browser.events if event["method"] in named]

    @property
    def asked_for(self) -> list[str]:
        """Addresses from which it fetched something, or tried to."""
        events = (event for event in self._browser.events if event["method"] == "Network.requestWillBeSent")
        return [event["params"]["request"]["url"] for event in events]

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save what it shows as a PNG, or the whole page."""
        params: dict[str, Any] = {"format": "png"}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            params |= {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", params)["data"]))


class _Pipes:
    """A browser's two pipes: JSON that ends with a zero, in and out."""

    def __init__(self, to: int, answers: int) -> None:
        self._to = to
        self._answers = answers
        self._rest = b""
        self._last = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, params: Mapping[str, Any], session: str | None = None) -> dict[str, Any]:
        """Ask for something, and wait for the answer."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        text = json.dumps(message if session is None else {**message, "sessionId": session})
        content = memoryview(text.encode() + b"\0")
        while content:
            content = content[os.write(self._to, content) :]
        while (answer := self._next()).get("id") != self._last:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, method: str) -> None:
        """Wait for an event."""
        while not any(event["method"] == method for event in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._answers, 1 << 20)
            assert read, "the browser has ended"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        parsed: dict[str, Any] = json.loads(message)
        return parsed


@contextmanager
def browser(program: str, folder: Path) -> Iterator[Page]:
    """A tab of a browser of its own, whose files are in a folder."""
    shell = shutil.which("bash")  # Others know descriptors of one digit only.
    assert shell is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    options = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run"
    command = f'exec "$0" {options} --remote-debugging-pipe --user-data-dir="$1" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        [shell, "-c", command, program, str(folder)],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)},
    )
    os.close(theirs_in)
    os.close(theirs_out)
    patience = Timer(PATIENCE, process.kill)
    patience.start()
    pipes = _Pipes(ours_out, ours_in)
    try:
        yield Page(pipes)
        pipes.call("Browser.close", {})  # It ends its processes, which else go on writing into the folder.
        process.wait()
    finally:
        patience.cancel()
        process.kill()
        process.wait()
        os.close(ours_in)
        os.close(ours_out)
