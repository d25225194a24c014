"""Which conversations of a row are kept, and how much of them."""

import json
from typing import Any

import pytest
from tests.fakes import model
from tests.plans import compiled, texts

from data_designer.config.run_config import KeptConversations
from data_designer.engine.execution.conversing import LARGEST, asking, kept_cells
from data_designer.engine.execution.stage_runner import RowResult
from data_designer.engine.protocol.conversation import SaidCell, Turn
from data_designer.models.retry import Asked
from data_designer.values import ChatRequest, ChatResponse, Message, Reason, Usage

WHY = Reason("Kind", "no", "final")


COLUMNS = ("draft", "final")
"""Of one stage."""


def message(role: str, text: str) -> Message:
    """A message as programs write it."""
    return {"role": role, "content": [{"type": "text", "text": text}]}


def asked(prompt: str = "go", reply: str | None = "gone", params: dict[str, Any] | None = None) -> Asked:
    """A request that was answered in half a second, or not at all."""
    request = ChatRequest([message("user", prompt)], params or {})
    if reply is None:
        return Asked(request, failure=Usage(0, 1), failed=[("ModelTimeoutError", "late")])
    return Asked(request, ChatResponse(reply, usage=Usage(1, 0, 5, 2)), seconds=0.5)


def turns(cell: SaidCell) -> list[Turn]:
    """What a cell's turns are."""
    return [Turn.from_dict(one) for one in json.loads(cell.turns)]


def only(said: dict[str, list[Asked]], result: RowResult, keeps: KeptConversations = "all") -> SaidCell:
    """The one cell that is kept."""
    [cell] = kept_cells(keeps, COLUMNS, said, result) or ()
    return cell


def test_columns_that_are_computed_beside_a_model_have_no_conversation() -> None:
    """An expression may run where its row is, in a stage of a model."""
    made = texts([model("m")], draft=("m", "{{ id }}"))
    made.add_column(name="loud", column_type="expression", expr="{{ draft | upper }}")
    made.add_column(name="final", column_type="llm-text", model_alias="m", prompt="{{ loud }}")
    [stage] = [one for one in compiled(made, 4).stages if one.pool == "m"]
    assert "loud" in stage.makes
    assert asking(stage) == COLUMNS


SAID = {"draft": [asked()], "final": [asked("judge", None)]}


@pytest.mark.parametrize(
    ("keeps", "result", "kept"),
    [
        ("none", RowResult({"draft": "x"}, rejected=WHY), None),
        ("rejected", RowResult({"draft": "x", "final": "y"}), None),
        ("rejected", RowResult({"draft": "x"}, rejected=WHY), {"draft": "ok", "final": "failed"}),
        ("rejected", RowResult({"draft": "x", "final": None}, failed=(WHY,)), {"final": "failed"}),
        ("all", RowResult({"draft": "x", "final": "y"}), {"draft": "ok", "final": "ok"}),
        ("all", RowResult({"draft": "x"}, rejected=WHY), {"draft": "ok", "final": "failed"}),
    ],
)
def test_the_setting_decides_which_cells_are_kept(
    keeps: KeptConversations, result: RowResult, kept: dict[str, str] | None
) -> None:
    """Of a rejected row what was said for its stage; of a row with nulls what was said for these."""
    cells = kept_cells(keeps, COLUMNS, SAID, result)
    assert kept == (None if cells is None else {cell.column: cell.fate for cell in cells})


def test_a_cell_of_which_nobody_was_asked_was_taken_unless_it_was_skipped() -> None:
    """What a column cache had is kept as such; a skipped cell has no conversation."""
    result = RowResult({"draft": "x", "final": None}, skipped=frozenset({"final"}))
    cell = only({}, result)
    assert (cell.column, cell.fate, turns(cell)) == ("draft", "taken", [])


def test_what_a_conversation_came_to_is_added_up() -> None:
    """Replies and failed attempts count; latencies are summed."""
    cell = only({"draft": [asked(), asked(), asked("again", None)]}, RowResult({}, rejected=Reason("K", "m", "draft")))
    assert (Usage(*cell.usage), cell.seconds) == (Usage(2, 1, 10, 4), 1.0)
    assert cell.problem == "K: m"
    assert [one.message for one in turns(cell)[2].failed] == ["late"]


def test_a_turn_holds_only_what_it_adds() -> None:
    """Messages and fields that were there before are not written again."""
    first = asked("go", params={"schema": {"a": 1}})
    second = Asked(ChatRequest([*first.request.messages, message("user", "no")], {"schema": {"a": 1}}))
    one, other = turns(only({"draft": [first, second]}, RowResult({})))
    assert (one.repeats, one.params) == (0, {"schema": {"a": 1}})
    assert (other.repeats, other.messages, other.params) == (1, (message("user", "no"),), None)


@pytest.mark.parametrize(
    "said",
    [
        [asked("p" * 3_000_000)],
        [asked("go", "r" * 3_000_000)],
        [asked("go", params={"schema": {"a": "s" * 3_000_000}})],
        [asked(f"{number} {'é' * 90_000}", "ü" * 90_000) for number in range(200)],
    ],
    ids=["prompt", "reply", "fields", "many turns"],
)
def test_a_long_conversation_is_cut_and_says_so(said: list[Asked]) -> None:
    """Beyond its bound texts are cut at their ends, and turns in the middle are left out; the numbers stay whole."""
    cell = only({"draft": said}, RowResult({}))
    assert len(cell.turns) <= LARGEST
    assert "characters more are not kept" in cell.turns.decode()
    assert Usage(*cell.usage).requests == len(said)
    if len(said) > 100:
        assert "136 requests are not kept" in cell.turns.decode()
        assert turns(cell)[-1].messages[0]["content"][0]["text"].startswith("199 ")  # type: ignore[index]


def test_text_that_no_file_holds_is_mended() -> None:
    """Half a surrogate pair, and a number beyond 64 bits, leave the conversation readable."""
    cell = only({"draft": [asked("a\ud800b", params={"n": 1 << 70})]}, RowResult({}))
    [one] = turns(cell)
    assert one.messages[0]["content"][0]["text"] == "a�b"  # type: ignore[index]
    assert one.params == {"n": str(1 << 70)}
