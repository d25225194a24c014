"""Writes every generated page; with `--check`, says which of them are not current instead."""

import sys

from docs.generate.pages import pages


def main(arguments: list[str]) -> int:
    """Write or check the pages. Gives the exit code."""
    stale = [
        (path, content)
        for path, content in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != content
    ]
    if "--check" in arguments:
        for path, _ in stale:
            sys.stderr.write(f"{path} is not current: run `make docs`\n")
        return 1 if stale else 0
    for path, content in stale:
        path.write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
