"""Lines of a stream, in whatever parts they come."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from data_designer.tools.lines import LongLine, lines_of


def read(content: bytes, cuts: list[int], most: int) -> list[bytes | LongLine]:
    """The lines of a content that comes in parts."""
    places = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    parts = [content[start:stop] for start, stop in pairwise(places)]

    async def give(_: int) -> bytes:
        return parts.pop(0) if parts else b""

    async def run() -> list[bytes | LongLine]:
        return [line async for line in lines_of(give, most)]

    return asyncio.run(run())


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b".")), max_size=8),
    cuts=st.lists(st.integers(0, 500)),
)
def test_lines_are_the_same_however_they_come(lines: list[bytes], cuts: list[int]) -> None:
    """Each is whole, or its size is told where it is too long; the last needs no end."""
    content = b"\n".join(lines) + (b"\n" if lines else b"")
    found = read(content, cuts, 10)
    assert [line.size if isinstance(line, LongLine) else line for line in found] == [
        len(line) if len(line) > 10 else line for line in lines
    ]


def test_a_long_line_says_what_it_answers() -> None:
    """By its beginning; a line that begins otherwise does not."""
    [line, other] = read(b'{"jsonrpc": "2.0", "id": 17, "result": "xxxx"}\n' + b"x" * 50, [5, 9], 40)
    assert isinstance(line, LongLine)
    assert isinstance(other, LongLine)
    assert (line.size, line.answers, other.answers) == (46, 17, None)
