"""Which conversations of a row are kept, and how much of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from data_designer.config.run_config import KeptConversations
from data_designer.engine.dataset.encoding import cleaned
from data_designer.engine.execution.stage_runner import RowResult
from data_designer.engine.protocol.conversation import Fate, SaidCell, Turn, reply_data, shared
from data_designer.models.retry import Asked
from data_designer.plan.model import Stage
from data_designer.values import ChatResponse, Message, Request, Usage

LARGEST = 1_000_000
"""Bytes of a conversation that are kept; of a longer one its texts are cut."""
_SHORTEST = 500
"""Characters that are left of a text, however long the conversation is."""
_LONGEST_PROBLEM = 2000
_MOST_TURNS = 64
"""Turns that are kept of a conversation, half from its beginning and half from its end."""


Said = Mapping[str, Sequence[Asked]]
"""Column to what was asked for its cell."""


def asking(stage: Stage) -> tuple[str, ...]:
    """Columns of a stage for whose cells a model is asked; others of it are computed where the rows are."""
    return tuple(step.name for step in stage.steps if any(config.get_model_aliases() for config in step.configs))


def kept_cells(
    keeps: KeptConversations, columns: Sequence[str], said: Said, result: RowResult
) -> tuple[SaidCell, ...] | None:
    """What is kept of a row that has run through a stage; None where nothing is.

    Of a row that was rejected, or has null cells, `rejected` keeps what was said for the cells that failed, and of a
    rejected one what was said for the others of the stage too.

    Args:
        keeps: what the run keeps.
        columns: those of the stage for which a model is asked.
        said: what was asked.
        result: what the row came to.
    """
    if keeps == "none" or (keeps == "rejected" and result.rejected is None and not result.failed):
        return None
    problems = {reason.column: f"{reason.kind}: {reason.message}" for reason in result.failed}
    if (reason := result.rejected) is not None:
        problems[reason.column] = f"{reason.kind}: {reason.message}"
    cells = []
    for column in columns:
        if column in said:
            if keeps == "all" or result.rejected is not None or column in problems:
                cells.append(_cell(column, said[column], problems.get(column)))
        elif keeps == "all" and column in result.values and column not in (result.skipped or ()):
            cells.append(_taken_cell(column))
    return tuple(cells) or None


def _taken_cell(column: str) -> SaidCell:
    return SaidCell(column, "taken", None, Usage().numbers, None, (), b"[]")


def _cell(column: str, asked: Sequence[Asked], problem: str | None) -> SaidCell:
    fate: Fate = "ok" if problem is None else "failed"
    if len(asked) == 1:
        [only] = asked
        usage, seconds, servers = only.usage.numbers, only.seconds, _server(only)
    else:
        usage = Usage.total([one.usage for one in asked]).numbers if asked else Usage().numbers
        seconds = _sum([one.seconds for one in asked if one.seconds is not None])
        servers = tuple(dict.fromkeys(name for one in asked for name in _server(one)))
    problem = None if problem is None else cleaned(problem[:_LONGEST_PROBLEM])
    return SaidCell(column, fate, problem, usage, seconds, servers, _written(_turns(asked)))


def _server(one: Asked) -> tuple[str, ...]:
    server = None if one.response is None else one.response.server
    return () if server is None else (server,)


def _sum(seconds: Sequence[float]) -> float | None:
    return sum(seconds) if seconds else None


Data = dict[str, object]
"""A `Turn` as JSON data."""


def _turns(asked: Sequence[Asked]) -> list[Data]:
    """The turns of a conversation; of a very long one the first and the last, with a note between them."""
    if len(asked) <= _MOST_TURNS:
        return _each(asked)
    half = _MOST_TURNS // 2
    turns = _each([*asked[:half], *asked[-half:]])
    turn = Turn.from_dict(turns[half])
    note: Message = {"role": "note", "content": f"({len(asked) - 2 * half} requests are not kept)"}
    turns[half] = replace(turn, messages=(note, *turn.messages)).to_dict()
    return turns


def _each(asked: Sequence[Asked]) -> list[Data]:
    turns: list[Data] = []
    before: Request | None = None
    for one in asked:
        turns.append(_turn(one, before))
        before = one.request
    return turns


def _turn(one: Asked, before: Request | None) -> Data:
    """As `Turn.to_dict` gives it; made without one, since it may be done for every cell."""
    request, response = one.request, one.response
    turns = request.turns
    repeats = 0 if before is None else shared(before.turns, turns)
    data: Data = {"repeats": repeats, "messages": turns[repeats:] if repeats else turns}
    if before is None or (before.fields is not request.fields and before.fields != request.fields):
        data["params"] = request.fields
    if isinstance(response, ChatResponse):
        data["reply"] = reply_data(response.text, response.reasoning, response.finish_reason, response.tool_calls)
    elif response is not None:
        data["reply"] = reply_data(response.words, None, None, ())
    if response is not None and response.server is not None:
        data["server"] = response.server
    data["usage"] = one.usage.numbers
    if one.seconds is not None:
        data["seconds"] = one.seconds
    if one.failed:
        data["failed"] = [{"kind": kind, "message": message} for kind, message in one.failed]
    return data


# --- how much of it ------------------------------------------------------------------------------------------


def _written(turns: Sequence[Data]) -> bytes:
    """Turns as JSON of bounded size."""
    text = _json(turns)
    longest = LARGEST // 4
    while len(text) > LARGEST and longest >= _SHORTEST:
        text = _json([_cut(Turn.from_dict(turn), longest).to_dict() for turn in turns])
        longest //= 4
    return text


def _cut(turn: Turn, longest: int) -> Turn:
    reply = turn.reply
    if reply is not None:
        reasoning = None if reply.reasoning is None else _shortened(reply.reasoning, longest)
        calls = reply.tool_calls if len(repr(reply.tool_calls)) <= longest else ()
        reply = replace(reply, text=_shortened(reply.text, longest), reasoning=reasoning, tool_calls=calls)
    params = turn.params
    if params is not None and len(repr(params)) > longest:
        params = {name: _shortened(str(value), longest // max(1, len(params))) for name, value in params.items()}
    messages = tuple(_cut_message(message, longest) for message in turn.messages)
    return replace(turn, messages=messages, reply=reply, params=params)


def _cut_message(message: Message, longest: int) -> Message:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": _shortened(content, longest)}
    blocks = content if isinstance(content, list) else []
    return {**message, "content": [_cut_block(block, longest) for block in blocks]}


def _cut_block(block: object, longest: int) -> object:
    text = block.get("text") if isinstance(block, dict) else None
    if isinstance(block, dict) and isinstance(text, str):
        return {**block, "text": _shortened(text, longest)}
    return block if len(repr(block)) <= longest else {"type": "text", "text": _shortened(str(block), longest)}


def _shortened(text: str, longest: int) -> str:
    left = len(text) - longest
    return text if left <= 0 else f"{text[:longest]}… ({left:,} characters more are not kept)"


def _json(turns: Sequence[Data]) -> bytes:
    try:
        return orjson.dumps(turns, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        return orjson.dumps(_clean(turns), default=str, option=orjson.OPT_NON_STR_KEYS)


def _clean(value: object) -> object:
    """JSON data whose texts UTF-8 can hold, and whose numbers JSON can."""
    match value:
        case str():
            return cleaned(value)
        case dict():
            return {cleaned(str(name)): _clean(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_clean(inner) for inner in value]
        case int() if abs(value) >= 1 << 63:
            return str(value)
        case _:
            return value
