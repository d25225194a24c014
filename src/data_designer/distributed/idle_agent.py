"""Stands in for an agent of Ray's node that nobody has asked for yet: a script, which imports as little as it can.

    idle_agent.py absent NAME[,NAME...] COMMAND...      says that there is none, as Ray's own does without ray[default]
    idle_agent.py asleep NAME COMMAND...                listens in its place, and becomes it when it is asked

NAME is what Ray calls a port that the agent tells its raylet, by a file in the session's folder. COMMAND starts the
agent. It ends with the raylet, which holds the other end of its standard input.
"""

import os
import select
import socket
import sys

_ABSENT = "-1"
"""The port of what is not there."""


def _option(command: "list[str]", name: str) -> str:
    """What a command gives as `--name=value`."""
    return next(part.partition("=")[2] for part in command if part.startswith(f"--{name}="))


def _tell(command: "list[str]", name: str, port: str) -> None:
    """Tell the raylet a port: by the file that it waits for."""
    path = f"{_option(command, 'session-dir')}/{name}_{_option(command, 'node-id')}"
    with open(f"{path}.new", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib is a third of such a process
        file.write(port)
    os.rename(f"{path}.new", path)  # noqa: PTH104


def absent(names: str, command: "list[str]") -> None:
    """Say that there is no agent, and wait for the raylet's end."""
    for name in names.split(","):
        _tell(command, name, _ABSENT)
    while os.read(0, 1024):
        pass


def asleep(name: str, command: "list[str]") -> None:
    """Listen in the agent's place until somebody connects, who will try again, or until the raylet ends."""
    place = f"--{name.replace('_', '-')}="
    with socket.create_server((_option(command, "node-ip-address"), 0)) as listener:
        port = str(listener.getsockname()[1])
        _tell(command, name, port)
        while listener.fileno() not in select.select([listener.fileno(), 0], [], [])[0]:
            if not os.read(0, 1024):
                return
    os.execv(command[0], [f"{place}{port}" if part.startswith(place) else part for part in command])  # noqa: S606


if __name__ == "__main__":
    {"absent": absent, "asleep": asleep}[sys.argv[1]](sys.argv[2], sys.argv[3:])
