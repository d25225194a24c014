"""Files of conversations: what a batch's holds, and how two of one batch go together."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.fakes import model
from tests.plans import texts

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.engine.dataset.conversations import conversations_in, conversations_of, merged_conversations
from data_designer.engine.protocol.conversation import CONVERSED, Conversation, SaidCell
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import Parcel, Source, Values
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan
from data_designer.values import Block

ADDRESS = "https://me:hidden-word@host/v1?api_key=hidden-key"
TURNS = b'[{"repeats":0,"messages":[{"role":"user","content":"go"}],"usage":[1,0,1000000,0,0,0],"seconds":0.5}]'


def plan(provider: dd.ModelProvider, **parameters: Any) -> Plan:
    """A sampler and a text column, of a model at a dollar a million tokens in."""
    made = texts([model("m", price=dd.Price(input=1, output=1), **parameters)], text=("m", "{{ id }}"))
    return compile_plan(made.build(), {"p": provider}, dd.RunConfig(), Geometry(9, 9), seed=1, kinds=KINDS)


PLAN = plan(dd.ModelProvider(name="p", endpoint=ADDRESS))


def cell(servers: tuple[str, ...] = ()) -> SaidCell:
    """One request that was answered."""
    return SaidCell("text", "ok", None, (1, 0, 1_000_000, 0, 0, 0), 0.5, servers, TURNS)


def table(said: dict[int, SaidCell], of: Plan = PLAN) -> pa.Table:
    """What a batch's file holds of these records, which come in any order."""
    rows = np.array(list(said), dtype=np.int64)
    source = Source(1, np.zeros(len(rows), dtype=np.int64), np.arange(len(rows)))
    values: Values = {1: Block(rows, {CONVERSED: [(one,) for one in said.values()]})}
    none = np.empty(0, dtype=np.int64)
    found = conversations_of(of, CommitJob(0, Parcel(-1, rows, 0, (source,)), none, ()), [values])
    assert found is not None
    return found


def read(found: pa.Table | None) -> list[Conversation]:
    """What a table holds."""
    return [] if found is None else list(conversations_in(found))


def test_a_file_says_whom_it_asked_and_what_it_cost_without_secrets() -> None:
    """Host and path of the endpoint, without password or key; fields named as secrets are hidden."""
    provider = dd.ModelProvider(
        name="p", endpoint=ADDRESS, extra_body={"api_key": "hidden", "top_k": 3, "n": {"token": "hidden"}}
    )
    [one] = read(table({4: cell()}, plan(provider, temperature=0.5)))
    assert (one.record, one.column, one.alias, one.model, one.usd) == (4, "text", "m", "m", 1.0)
    assert one.endpoint == "https://host/v1/chat/completions"
    assert one.params == {"temperature": 0.5, "api_key": "***", "top_k": 3, "n": {"token": "***"}}
    assert "hidden" not in str(table({4: cell()}, plan(provider)).to_pylist())
    assert one.turns[0].messages == ({"role": "user", "content": "go"},)


def test_records_are_in_order_and_several_servers_are_named() -> None:
    """Rows come in any order; which of several servers answered is said."""
    found = read(table({5: cell(), 2: cell(("http://a", "http://b"))}))
    assert [(one.record, one.endpoint) for one in found] == [
        (2, "http://a, http://b"),
        (5, "https://host/v1/chat/completions"),
    ]


def test_nothing_said_makes_no_file() -> None:
    """Most batches have none."""
    none = np.empty(0, dtype=np.int64)
    assert conversations_of(PLAN, CommitJob(0, Parcel(-1, none, 0, ()), none, ()), []) is None


@pytest.mark.parametrize(
    ("old", "new", "spoken_of", "left"),
    [
        ([1, 3], [2], [2], [1, 2, 3]),
        ([1, 3], [3], [3], [1, 3]),
        ([1, 3], [], [3], [1]),
        ([1], [], [1], []),
        ([], [2], [2], [2]),
    ],
)
def test_what_was_said_before_of_a_record_that_is_told_anew_counts_no_more(
    old: list[int], new: list[int], spoken_of: list[int], left: list[int]
) -> None:
    """Whether it came out this time or was rejected again, whether it is kept this time or not."""
    before = table(dict.fromkeys(old, cell(("http://old",)))) if old else None
    later = table(dict.fromkeys(new, cell(("http://new",)))) if new else None
    found = read(merged_conversations(before, later, np.array(spoken_of)))
    assert [one.record for one in found] == left
    assert all(one.endpoint == ("http://new" if one.record in new else "http://old") for one in found)
