"""Reading the answer out of a reply: the vectors of the specification, and what models really write."""

import math
from typing import Any

import pytest

from data_designer.columns.structured.parsing import code_blocks, parse_code, parse_json, parse_text
from data_designer.errors import ParserException

F = "```"


def nested(levels: int) -> Any:
    """Lists inside lists."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (f'{F}json\n{{"a":1}}\n{F}', {"a": 1}),
        (f'Here you are.\n{F}json\n{{"a":1}}\n{F}\nDone.', {"a": 1}),
        (f'{F}json\n{{"a":1}}\n{F}\nor\n{F}json\n{{"a":2}}\n{F}', {"a": 2}),
        ('~~~json\n{"a":1}\n~~~', {"a": 1}),
        (f'{F}json\n{{"a":1}}', {"a": 1}),
        (f'- item\n\n  {F}json\n  {{"a":1}}\n  {F}', {"a": 1}),
        (f'1. {F}json\n   {{"a":1}}\n   {F}', {"a": 1}),
        (f'- deep\n  - deeper\n\n    {F}json\n    {{"a":1}}\n    {F}', {"a": 1}),
        (f'{F}json title=x\n{{"a":1}}\n{F}', {"a": 1}),
        (f'   {F}json\n   {{"a":1}}\n   {F}', {"a": 1}),
        (f'{F}json\n{{"a":1,}}\n{F}', {"a": 1}),
        (f"{F}json\n{{'a':1}}\n{F}", {"a": 1}),
        (f'{F}json\n{{"a":1\n{F}', {"a": 1}),
        (f'{F}json\n{{"a":1 // one\n}}\n{F}', {"a": 1}),
        (f'{F}json\n{{"a":1,"b":"x\ny"}}\n{F}', {"a": 1, "b": "x\ny"}),
        (f'<think>\n{F}json\n{{"a":0}}\n{F}\n</think>\n{F}json\n{{"a":1}}\n{F}', {"a": 1}),
        (f'<answer>\n{F}json\n{{"a":1}}\n{F}\n</answer>', {"a": 1}),
        (f'</think>\n{F}json\n{{"a":1}}\n{F}', {"a": 1}),
        (f'{F}json\n{{"b":"<b>x</b> &amp; & < 3"}}\n{F}', {"b": "<b>x</b> &amp; & < 3"}),
        (f"{F}json\n[1, 2]\n{F}", [1, 2]),
        (f'{F}json\n{{"a":1}}\n{F}\n{F}python\nx = 1\n{F}', {"a": 1}),
        (f'{F}json\r\n{{"a":1}}\r\n{F}\r\n', {"a": 1}),
        (f'{F}{F}json\n{{"a":"{F}"}}\n{F}\n{F}{F}', {"a": "```"}),
        (f'{F}json\n{{"a":"x\u2028y"}}\n{F}', {"a": "x\u2028y"}),
        (f'{F}json\n{{"a":1.0}}\n{F}', {"a": 1.0}),
        (f'{F}JSON\n{{"a":1}}\n{F}', {"a": 1}),
        (f'{F}Json\n{{"a":1,}}\n{F}', {"a": 1}),
        ('{"a":1}', {"a": 1}),
        (' \n[1, {"a": 2}]\n', [1, {"a": 2}]),
        ('"yes"', "yes"),
        ("7", 7),
        ("null", None),
        (f'{{"a": "{F}json\\n{{}}\\n{F}"}}', {"a": f"{F}json\n{{}}\n{F}"}),
        ('<think>\nhm\n</think>\n{"a":1}', {"a": 1}),
        ('[THINK]hm[/THINK]{"a":1}', {"a": 1}),
        (f'{F}json\n{{"a":12345678901234567890123}}\n{F}', {"a": 12345678901234567890123}),
        (f'{F}json\n{{"a":{"9" * 4300}}}\n{F}', {"a": int("9" * 4300)}),
        (f'{F}json\n{{"a":-Infinity}}\n{F}', {"a": -math.inf}),
        (f'{F}json\n{{"a":"tea \\ud83d","\\uDE00":"\\ud83d\\uDE00"}}\n{F}', {"a": "tea \ufffd", "\ufffd": "😀"}),
        (f'{F}json\n{{"a":"\\\\ud83d"}}\n{F}', {"a": r"\ud83d"}),
        (f"{F}json\n{{'a':'tea \\ud83d'}}\n{F}", {"a": "tea \ufffd"}),
        (f'{F}json\n\ufeff{{"a":1}}\n{F}', {"a": 1}),
        (f'{F}json\n{{"a":{"[" * 300}{"]" * 300}}}\n{F}', {"a": nested(300)}),
    ],
)
def test_the_last_json_fence_is_the_answer(reply: str, value: Any) -> None:
    """Fences in all their spellings are found, the last one counts, and broken JSON is repaired."""
    assert parse_json(reply) == value


@pytest.mark.parametrize(
    "reply",
    [
        'Here: {"a":1}',
        '{"a":1} as asked',
        '{"a":1,}',
        "[Note] I would rather not. [1]",
        f'<think>\n{F}json\n{{"a":1}}\n{F}\n</think>\nno',
        f'{F}json5\n{{"a":1}}\n{F}',
        f'{F}\n{{"a":1}}\n{F}',
        f'    {F}json\n    {{"a":1}}\n    {F}',
        '`{"a":1}`',
        f'{F}json {{"a":1}}{F}',
        "",
    ],
)
def test_without_a_json_fence_there_is_no_json(reply: str) -> None:
    """JSON in prose, other tags, inline code and an indented fence are refused with a word on what is wanted."""
    with pytest.raises(ParserException, match="No parsable JSON structure"):
        parse_json(reply)


@pytest.mark.parametrize("reply", [f"{F}json\n\n{F}", f"{F}json\n{F}", f"{F}json\nnothing here\n{F}"])
def test_a_json_fence_without_json_is_a_mismatch(reply: str) -> None:
    """An empty fence is told apart from a missing one."""
    with pytest.raises(ParserException, match="doesn't match requested <response_schema>"):
        parse_json(reply)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (f"{F}python\nx = 1\n{F}", "x = 1"),
        (f"{F}\nx = 1\n{F}", "x = 1"),
        (f"{F}python\nx = 1\n{F}\n{F}python\nx = 2\n{F}", "x = 2"),
        (f"{F}bash\nls\n{F}\n{F}python\nx = 2\n{F}", "x = 2"),
        ("Look:\n\n    def f():\n        return 1\n\n    f()\n", "def f():\n    return 1\n\nf()"),
        ("    x = 1\n    y = 2", "x = 1\ny = 2"),
        (f"{F}python\nif a < b & c:\n    d()\n{F}", "if a < b & c:\n    d()"),
        (f"- so:\n\n  {F}python\n  if a:\n      b()\n  {F}", "if a:\n    b()"),
        (f"{F}python\n\tx = 1\n{F}", "\tx = 1"),
        (f"{F}python\ns = '''\n~~~\n'''\n{F}", "s = '''\n~~~\n'''"),
        (f"{F}python\n\n  x = 1\n\n{F}", "\n  x = 1\n"),
        (f"{F}python\nif a:\n\tb()  \n  \t\n\tc()\t\n{F}", "if a:\n\tb()  \n  \t\n\tc()\t"),
        (f"{F}python\r\na\r\n\r\nb\r\n{F}\r\n", "a\r\n\r\nb"),
        (f"{F}python\na\rb\x0bc\x0cd\u2028e\x85f\n{F}", "a\rb\x0bc\x0cd\u2028e\x85f"),
        (f"{F}Python\nx = 1\n{F}", "x = 1"),
        (f"{F}PYTHON title=x\nx = 1\n{F}", "x = 1"),
        (f"- so:\n\n  {F}python\n  if a:\n  \tb()\n  {F}", "if a:\n\tb()"),
        (f"- so:\n\n  {F}python\n  if a:\n\tb()\n  {F}", "if a:\n\tb()"),
        (f"- so:\n\n\t{F}python\n\tif a:\n\t\tb()\n\t{F}", "if a:\n\tb()"),
        (f"1. {F}python\n   if a:\n   \tb()\n   {F}", "if a:\n\tb()"),
        (f"<think>\n{F}bash\nls\n{F}\n</think>\n{F}python\nx\n{F}", "x"),
    ],
)
def test_the_last_code_block_is_the_answer(reply: str, code: str) -> None:
    """Tagged, untagged and indented blocks count; the text of a fence is as it was written, to the last tab."""
    assert parse_code(reply, "python") == code


@pytest.mark.parametrize("tag", ["py", "PythonX", "python3", "bash"])
def test_a_fence_of_another_language_is_refused(tag: str) -> None:
    """A tag has to be the language, in whatever case."""
    with pytest.raises(ParserException, match=f"tagged `{tag}`"):
        parse_code(f"{F}{tag}\nx\n{F}", "python")


def test_only_the_last_block_is_judged() -> None:
    """A block of another language after the right one makes the answer fail."""
    with pytest.raises(ParserException, match="tagged `bash`"):
        parse_code(f"{F}python\nx = 1\n{F}\n{F}bash\nls\n{F}", "python")


@pytest.mark.parametrize("reply", ["x = 1", "`x = 1`", "", "text\n    lazily continued"])
def test_without_a_block_there_is_no_code(reply: str) -> None:
    """Plain text, inline code and a continued paragraph are no code."""
    with pytest.raises(ParserException, match="No parsable code"):
        parse_code(reply, "python")


def test_text_is_the_whole_reply_stripped() -> None:
    """Nothing is interpreted: thoughts, tags and XML declarations stay."""
    reply = '<?xml version="1.0" encoding="utf-8"?><think>hm</think> yes'
    assert parse_text(f"\n {reply} \n") == reply


def test_an_empty_reply_is_a_failure() -> None:
    """A reply of white space is no text."""
    with pytest.raises(ParserException, match="Empty reply"):
        parse_text(" \n ")


def test_blocks_are_listed_in_order() -> None:
    """Fenced and indented blocks are told apart."""
    blocks = code_blocks("# Title\n    one\n\ntext\n~~~b c\ntwo\n~~~\n    three")
    assert [(b.tag, b.text, b.fenced) for b in blocks] == [
        ("", "one\n", False),
        ("b", "two", True),
        ("", "three", False),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 5_000,
        "9" * 5000 + "x",
    ],
)
def test_json_that_cannot_be_held_is_a_failure_like_any_other(text: str) -> None:
    """A reply that no parser survives is asked for again, or gives what could be saved of it."""
    try:
        parse_json(f"{F}json\n{text}\n{F}")
    except ParserException as error:
        assert "response_schema" in str(error)  # noqa: PT017 - either way out is fine


@pytest.mark.parametrize("line", ["- " * 50_000, f"{F}a{' ' * 50_000}b", "`" * 50_000 + "x`", " " * 50_000 + "x"])
def test_odd_lines_are_read_without_trouble(line: str) -> None:
    """A model gone astray does not stop the process."""
    code_blocks(f"{line}\n{line}\n")
