"""A server of tools that does as it is told, over standard input and output; it needs the standard library only.

`python tool_server.py FOLDER [NAME ...]` offers the tools of these names, or all of them. It writes its process number
to `FOLDER/servers`, and each call, as it comes, to `FOLDER/calls`.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

INTEGER, TEXT = {"type": "integer"}, {"type": "string"}
TOOLS: dict[str, dict[str, Any]] = {
    "add": {"a": INTEGER, "b": INTEGER},
    "echo": {"text": TEXT},
    "wait": {"seconds": {"type": "number"}},
    "hang": {},
    "die": {},
    "die_once": {},
    "huge": {"size": INTEGER},
    "refuse": {},
    "fail": {},
    "picture": {},
    "environment": {},
    "child": {},
    "leave": {},
}
READ_ONLY = {"add", "echo", "die_once"}


def provider(folder: Path, *names: str, name: str = "tools", env: dict[str, str] | None = None) -> Any:
    """How a run reaches a server."""
    import data_designer.config as dd  # Not for the server, which starts without it.

    return dd.LocalStdioMCPProvider(
        name=name, command=sys.executable, args=["-S", __file__, str(folder), *names], env=env or {}
    )


def called(folder: Path) -> list[dict[str, Any]]:
    """Every call that any server of a folder got, in order."""
    path = folder / "calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def living(folder: Path) -> list[int]:
    """Processes of servers, and of what they have started, that have not ended."""
    path = folder / "servers"
    numbers = map(int, path.read_text().split()) if path.exists() else ()
    return [number for number in numbers if _lives(number)]


def wait_for_none(folder: Path, seconds: float = 20.0) -> list[int]:
    """Those that are left once none is, or the time is over."""
    until = time.monotonic() + seconds
    while (left := living(folder)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


async def until(holds: Callable[[], bool]) -> None:
    """Return once something holds that a server does."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nothing tells of what other processes do
            await asyncio.sleep(0.01)


def _lives(number: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


class _Server:
    def __init__(self, folder: str, *names: str) -> None:
        self.folder, self.names = folder, names or tuple(TOOLS)
        self.saying = threading.Lock()
        if Path(folder, "left").exists():
            sys.exit("I am not here")
        self.note("servers", str(os.getpid()))

    def note(self, name: str, line: str) -> None:
        with open(f"{self.folder}/{name}", "a") as file:  # noqa: PTH123 - the standard library's fastest way
            file.write(line + "\n")

    def say(self, number: object, **answer: object) -> None:
        with self.saying:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": number, **answer}) + "\n")
            sys.stdout.flush()

    def serve(self) -> None:
        print("a line that is no message", flush=True)
        print("started", file=sys.stderr, flush=True)
        for line in sys.stdin:
            message = json.loads(line)
            match message.get("method"):
                case "initialize":
                    info = {"name": "t", "version": "1"}
                    version = message["params"]["protocolVersion"]
                    self.say(
                        message["id"],
                        result={"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info},
                    )
                case "tools/list":
                    self.say(message["id"], result={"tools": [self.described(name) for name in self.names]})
                case "tools/call":
                    threading.Thread(target=self.call, args=(message["id"], message["params"]), daemon=True).start()
                case "notifications/cancelled":
                    self.note("calls", json.dumps({"cancelled": message["params"]["requestId"]}))

    def described(self, name: str) -> dict[str, object]:
        properties = TOOLS.get(name, {})
        schema = {"type": "object", "properties": properties, "required": [*properties]}
        hints = {"annotations": {"readOnlyHint": True}} if name in READ_ONLY else {}
        return {"name": name, "description": f"To {name}.", "inputSchema": schema, **hints}

    def call(self, number: int, params: dict[str, Any]) -> None:
        name, given = params["name"], params.get("arguments") or {}
        self.note("calls", json.dumps({"tool": name, "arguments": given, "number": number}))
        if name == "refuse":
            self.say(number, error={"code": -32602, "message": "no such thing"})
            return
        result = getattr(self, name, self.echo)(**given)
        if result is not None:
            items = result if isinstance(result, list) else [{"type": "text", "text": str(result)}]
            self.say(number, result={"content": items, "isError": name == "fail"})

    def add(self, a: int, b: int) -> int:
        return a + b

    def echo(self, **given: object) -> str:
        return json.dumps(given, sort_keys=True)

    def wait(self, seconds: float) -> str:
        time.sleep(seconds)
        return "waited"

    def hang(self) -> None:
        return None

    def die(self) -> None:
        print("I die of sk-very-secret", file=sys.stderr, flush=True)
        os._exit(3)

    def leave(self) -> None:
        Path(self.folder, "left").touch()
        os._exit(4)

    def die_once(self) -> str:
        path = Path(self.folder, "died")
        if not path.exists():
            path.touch()
            os._exit(3)
        return "alive"

    def huge(self, size: int) -> str:
        return "x" * size

    def fail(self) -> str:
        return "that went wrong"

    def picture(self) -> list[dict[str, str]]:
        return [{"type": "text", "text": "see"}, {"type": "image", "data": "aGk=", "mimeType": "image/png"}]

    def environment(self) -> str:
        return json.dumps(dict(os.environ))

    def child(self) -> str:
        started = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)  # noqa: S607
        self.note("servers", str(started.pid))
        return str(started.pid)


if __name__ == "__main__":
    _Server(*sys.argv[1:]).serve()
