"""Advice: each thing that holds a run up is named, with the setting that changes it and what that does."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.engine.observe.accounted import SECONDS, accounts, alias, asked, pipeline, steady, stretched, with_models
from tests.fakes import model
from tests.plans import compiled, texts

import data_designer.config as dd
from data_designer.engine.observe.advice import Advice, advise
from data_designer.engine.observe.bottlenecks.evidence import Bottleneck, Change
from data_designer.engine.protocol.slot_time import Account, RunAccounts, Sample
from data_designer.engine.protocol.spending import Spending
from data_designer.plan.model import Plan

FED = alias(upstream=0.9)
"""An alias that waits for another."""


def first(plan: Plan, made: RunAccounts, **more: Any) -> Advice:
    """The most effective advice."""
    return advise(plan, made, **more)[0]


def one_alias(records: int = 1000, buffer_size: int = 100, slots: int = 8, **run: Any) -> Plan:
    """A draft by one model."""
    return compiled(
        texts([model("writer", max_parallel_requests=slots)], draft=("writer", "{{ id }}")), records, buffer_size, **run
    )


def of(name: Bottleneck, found: list[Advice]) -> Advice:
    """The advice about one bottleneck."""
    return next(one for one in found if one.bottleneck == name)


# --- what asks models ----------------------------------------------------------------------------------------


def test_full_slots_are_doubled_and_who_waits_for_them_is_named() -> None:
    """The endpoint never pushed back, and the other alias waited for what comes of it: half of the time is saved."""
    found = first(pipeline(), accounts({"writer": alias(startup=0.02), "judge": FED}))
    assert (found.bottleneck, found.subject) == (Bottleneck.SLOTS, "writer")
    assert found.changes == (Change("max_parallel_requests", "writer", 8, 16),)
    assert found.gain == pytest.approx(0.48, abs=0.05)
    assert "'writer' was full 98 % of the time and the endpoint never pushed back" in str(found)
    assert "'judge' waited 90 % of its time for its replies" in str(found)
    assert "max_parallel_requests of 'writer' 8 → 16, about −" in str(found)  # noqa: RUF001


def test_two_aliases_that_are_equally_full_need_more_slots_together() -> None:
    """More slots of either alone would change nothing, since the other would be as full as before."""
    columns = {"draft": asked("writer", steady(0.48)), "review": asked("judge", steady(0.48))}
    found = advise(pipeline(), accounts({"writer": alias(), "judge": alias()}, columns))
    assert [one.bottleneck for one in found if one.is_worth_saying] == [Bottleneck.SLOTS]
    assert found[0].subject == "writer, judge"
    assert found[0].change == "max_parallel_requests of 'writer' 8 → 16, of 'judge' 8 → 16"


def test_an_endpoint_that_refuses_gets_what_it_takes() -> None:
    """No more slots are advised, though those that it takes were full."""
    asking = 0.2
    columns = {"draft": asked("writer", steady(32 * SECONDS * asking / 1000))}
    made = accounts({"writer": alias(32, held=0.8, refused=24, lowest_limit=8)}, columns)
    found = advise(one_alias(slots=32), made)
    assert found[0].bottleneck == Bottleneck.REFUSED
    assert found[0].changes == (Change("max_parallel_requests", "writer", 32, 8),)
    assert found[0].gain == pytest.approx(0.2, abs=0.05)
    assert "refused 24 requests (429); 80 % of its slot time was held back: it takes about 8 at once" in found[0].seen
    assert Bottleneck.SLOTS not in {one.bottleneck for one in found}


def test_where_refusals_cost_nothing_that_is_said() -> None:
    """The endpoint's limit was found at once and was full: a smaller setting spares refusals, and no time."""
    columns = {"draft": asked("writer", steady(32 * SECONDS * 0.25 / 1000))}
    made = accounts({"writer": alias(32, held=0.75, refused=24, lowest_limit=8)}, columns)
    found = of(Bottleneck.REFUSED, advise(one_alias(slots=32), made))
    assert not found.is_worth_saying
    assert replace(found, gain=0.0).effect == "no gain in time"


def test_a_cap_that_aliases_share_is_raised() -> None:
    """The provider's, since no refusal has shown that its server takes no more."""
    models = [model("writer", max_parallel_requests=8), model("judge", max_parallel_requests=8)]
    plan = with_models(models, cap=8, draft=("writer", "{{ id }}"), review=("judge", "{{ id }}"))
    columns = {"draft": asked("writer", steady(0.24)), "review": asked("judge", steady(0.24))}
    found = first(plan, accounts({"writer": alias(held=0.5), "judge": alias(held=0.5)}, columns))
    assert found.bottleneck == Bottleneck.SHARED
    assert found.changes == (Change("max_parallel_requests", "p", 8, 16),)
    assert found.gain > 0.3


def test_a_rate_that_was_set_is_named() -> None:
    """What it costs is all that is known."""
    plan = with_models([model("writer", requests_per_minute=600)], draft=("writer", "{{ id }}"))
    found = first(plan, accounts({"writer": alias(4, held=0.6)}, {"draft": asked("writer", steady(0.1))}))
    assert found.bottleneck == Bottleneck.RATE
    assert found.changes == (Change("requests_per_minute", "writer", 600, 1200),)
    assert (found.gain, found.at_most) == (pytest.approx(0.6), True)


def test_replies_that_cannot_be_used_are_counted() -> None:
    """Two requests a cell, of which one would do: at most half of the time, beside more slots."""
    columns = {"draft": asked("writer", steady(0.48, 1000), cells=500)}
    spent = {"draft": Spending("writer", cells=500, first_pass=200)}
    found = of(
        Bottleneck.FIRST_REPLY, advise(one_alias(500), accounts({"writer": alias()}, columns, records=500), spent)
    )
    assert found.subject == "draft"
    assert "40 % of the cells of 'draft' took the first reply; each cost 2.0 requests" in found.seen
    assert found.gain == pytest.approx(0.5, abs=0.05)
    assert found.at_most
    assert found.changes == (Change("max_conversation_correction_steps", "", 0, 1),)


def test_structured_replies_can_be_constrained_by_the_endpoint() -> None:
    """Where they are asked for in the prompt alone."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("writer", max_parallel_requests=8)])
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    made.add_column(name="draft", column_type="llm-structured", model_alias="writer", prompt="x", output_format=schema)
    spent = {"draft": Spending("writer", cells=500, first_pass=200)}
    columns = {"draft": asked("writer", steady(0.24, 1000), cells=500)}
    found = advise(compiled(made, 500, 100), accounts({"writer": alias()}, columns, records=500), spent)
    assert of(Bottleneck.FIRST_REPLY, found).changes == (Change("structured_output", "writer", "prompt", "auto"),)


def test_an_outage_is_named_with_its_length() -> None:
    """No setting would have helped but a second address."""
    found = first(one_alias(), accounts({"writer": alias(down=0.5)}, {"draft": asked("writer", steady(0.24))}))
    assert found.bottleneck in {Bottleneck.DOWN, Bottleneck.SLOTS}
    found = of(Bottleneck.DOWN, advise(one_alias(), accounts({"writer": alias(down=0.6)}, {})))
    assert "answered nothing for 36 s, 60 % of the time" in found.seen
    assert (found.gain, found.at_most) == (pytest.approx(0.6), True)


# --- batches, disk, CPU --------------------------------------------------------------------------------------


def batched(**run: Any) -> tuple[Plan, RunAccounts]:
    """A model of 16 slots that waits for further batches of ten half of the time."""
    plan = one_alias(buffer_size=10, slots=16, **run)
    return plan, accounts({"writer": alias(16, storage=0.5)}, {"draft": asked("writer", stretched(0.2, 3))})


def test_more_batches_are_opened_where_one_was_open() -> None:
    """As many as fill the slots; or larger ones."""
    found = first(*batched(max_concurrent_row_groups=1))
    assert found.bottleneck == Bottleneck.BATCHES
    assert found.changes == (Change("max_concurrent_row_groups", "", 1, 5),)
    assert found.gain > 0.25
    assert "waited 50 % of the time for a further batch: 1 of 10 records may be open" in found.seen
    assert found.note == "or buffer_size 10 → 40"


def test_memory_is_named_where_the_number_of_batches_is_not_limited() -> None:
    """Values of open batches are all that keeps others closed then."""
    found = of(Bottleneck.MEMORY, advise(*batched()))
    assert found.changes == (Change("buffer_size", "", 10, 5),)
    assert found.at_most


def test_the_end_in_which_the_last_batches_are_written_is_no_lack_of_memory() -> None:
    """Every run has one."""
    plan, made = batched()
    seconds = made.aliases["writer"].seconds[Account.STORAGE]
    end = Sample(SECONDS / 2, SECONDS / 2, 0, 1000, {"writer": {Account.STORAGE: seconds}})
    made = replace(made, timeline=(Sample(0.0, SECONDS / 2, 1000, 0, {}), end))
    assert Bottleneck.MEMORY not in {one.bottleneck for one in advise(plan, made)}


def test_few_rows_under_way_are_too_few_for_many_slots() -> None:
    """A limit of rows that was set lower than the slots need."""
    plan = one_alias(slots=32, max_in_flight_tasks=8)
    found = first(plan, accounts({"writer": alias(32, engine=0.75)}, {"draft": asked("writer", steady(0.48))}))
    assert found.bottleneck == Bottleneck.BATCHES
    assert found.changes == (Change("max_in_flight_tasks", "", 8, 128),)
    assert found.gain > 0.5


def test_a_disk_that_is_slower_than_the_models() -> None:
    """What was generated waits to be written, by one writer; no faster disk saves more than that."""
    made = accounts({"writer": alias(storage=0.8)}, {"draft": asked("writer", steady(0.09))}, writing=57.0)
    found = first(one_alias(), made)
    assert found.bottleneck == Bottleneck.DISK
    assert found.seen == "writing took 95 % of the time, 5.7 s a batch of 100 records"
    assert found.changes[0].setting == "artifact_path"
    assert (found.gain, found.at_most) == (pytest.approx(0.79, abs=0.05), True)


def worked(cpu: float) -> tuple[Plan, RunAccounts]:
    """A function that four workers call, between two models."""

    @dd.custom_column_generator(required_columns=["draft"])
    def lengthen(row: dict[str, Any]) -> dict[str, Any]:
        return row

    made = texts([model("writer"), model("judge")], draft=("writer", "{{ id }}"))
    made.add_column(dd.CustomColumnConfig(name="long", generator_function=lengthen))
    made.add_column(name="review", column_type="llm-text", model_alias="judge", prompt="{{ long }}")
    columns = {"draft": asked("writer", steady(0.04)), "review": asked("judge", steady(0.04))}
    return compiled(made, 1000, 100), accounts(
        {"writer": alias(4, last=0.8), "judge": alias(4, cpu=0.8)}, columns, cpu={"long": cpu}
    )


def test_more_workers_where_there_are_cores() -> None:
    """The column that takes most is named."""
    found = first(*worked(220.0), cores=16)
    assert (found.bottleneck, found.subject) == (Bottleneck.CPU, "long")
    assert found.changes == (Change("non_inference_max_parallel_workers", "", 4, 8),)
    assert found.gain == pytest.approx(0.45, abs=0.08)
    assert (
        "'judge' waited 80 % of the time for columns that ask no model, most of all 'long': 220 ms a record, 4 at once"
        in found.seen
    )


def test_a_cheaper_column_where_there_are_no_more_cores() -> None:
    """At most all of its work is saved."""
    found = first(*worked(220.0), cores=4)
    assert found.changes[0].setting == "the work a record"
    assert found.at_most
    assert found.gain > 0.5


def test_work_after_the_last_model_is_waited_for_too() -> None:
    """Slots have nothing left, since what is left asks no model: no tail is made of that."""
    made = accounts({"writer": alias(last=0.8)}, {"draft": asked("writer", steady(0.09))}, cpu={"id": 220.0})
    found = advise(one_alias(), made, cores=4)
    assert found[0].bottleneck == Bottleneck.CPU
    assert Bottleneck.TAIL not in {one.bottleneck for one in found}


def test_a_column_that_needs_its_whole_batch_asks_for_smaller_ones() -> None:
    """Workers are idle, and yet their work is waited for."""

    @dd.custom_column_generator(required_columns=["draft"])
    def ranked(df: Any) -> Any:
        return df

    made = texts([model("writer"), model("judge")], draft=("writer", "{{ id }}"))
    made.add_column(dd.CustomColumnConfig(name="rank", generator_function=ranked, generation_strategy="full_column"))
    made.add_column(name="review", column_type="llm-text", model_alias="judge", prompt="{{ rank }}")
    columns = {"draft": asked("writer", steady(0.2)), "review": asked("judge", steady(0.2))}
    found = advise(
        compiled(made, 1000, 500),
        accounts({"writer": alias(4, last=0.4), "judge": alias(4, cpu=0.5)}, columns, cpu={"rank": 0.1}),
    )
    cpu = of(Bottleneck.CPU, found)
    assert cpu.changes == (Change("buffer_size", "", 500, 125),)
    assert "for all rows of a batch, which 'rank' needs together" in cpu.seen
    assert cpu.gain > 0.1


# --- beginning and end ---------------------------------------------------------------------------------------


def ended(latency: Any, tokens: Any = None, **parameters: Any) -> list[Advice]:
    """A model whose slots were empty 60 % of the time at the end."""
    plan = compiled(texts([model("writer", max_parallel_requests=16, **parameters)], draft=("writer", "{{ id }}")), 500)
    columns = {"draft": asked("writer", latency, tokens=tokens)}
    return advise(plan, accounts({"writer": alias(16, last=0.6)}, columns, records=500))


def test_long_replies_are_cut_off_where_they_make_the_end_long() -> None:
    """Their tokens say that it is they."""
    found = ended(stretched(0.3, 120), stretched(100, 60))
    assert found[0].bottleneck == Bottleneck.TAIL
    assert found[0].changes[0].setting == "max_tokens"
    assert found[0].gain > 0.2
    assert "slots were empty 60 % of the time since few rows were left; 'draft' takes 0.3" in found[0].seen


def test_slow_requests_are_sent_again_where_it_is_not_their_length() -> None:
    """After about as long as all but two in a hundred take."""
    found = ended(stretched(0.3, 120))
    assert found[0].bottleneck == Bottleneck.TAIL
    assert found[0].changes[0].setting == "timeout"
    assert found[0].changes[0].before is None
    assert found[0].gain > 0.2


def test_the_end_of_a_short_run_comes_only_once() -> None:
    """Nothing is slow: four times the records have the same end."""
    found = ended(steady(1.0))
    assert found[0].changes == (Change("num_records", "", 500, 2000),)
    assert found[0].gain == pytest.approx(0.45)
    assert not found[0].is_worth_saying


@pytest.mark.parametrize(("executor", "setting"), [("inline", "num_records"), ("ray", "executor")])
def test_a_start_that_takes_most_of_a_run(executor: str, setting: str) -> None:
    """It does so once, and less without Ray."""
    made = accounts({"writer": alias(startup=0.7)}, {"draft": asked("writer", steady(0.1))}, executor=executor)
    found = first(one_alias(), made)
    assert found.bottleneck == Bottleneck.STARTUP
    assert found.changes[0].setting == setting
    assert "no slots for the first 42 of 60 s" in found.seen


@pytest.mark.parametrize(("executor", "setting"), [("inline", "executor"), ("ray", "replicas_per_model")])
def test_rows_that_are_ready_wait_for_the_engine(executor: str, setting: str) -> None:
    """Its own CPU is what they wait for: more processes."""
    made = accounts({"writer": alias(engine=0.7)}, {"draft": asked("writer", steady(0.1))}, executor=executor)
    found = first(one_alias(), made)
    assert found.bottleneck == Bottleneck.ENGINE
    assert found.changes[0].setting == setting


# --- all together --------------------------------------------------------------------------------------------

_SLOW_WRITER = {"draft": asked("writer", steady(0.48)), "review": asked("judge", steady(0.05))}
MIXTURES: Mapping[str, tuple[Plan, RunAccounts, list[Bottleneck]]] = {
    "slots before refusals": (
        pipeline(),
        accounts({"writer": alias(), "judge": alias(upstream=0.8, held=0.1, refused=9, lowest_limit=4)}, _SLOW_WRITER),
        [Bottleneck.SLOTS, Bottleneck.REFUSED],
    ),
    "batches before the disk": (
        one_alias(buffer_size=10, slots=16, max_concurrent_row_groups=1),
        accounts({"writer": alias(16, storage=0.5)}, {"draft": asked("writer", stretched(0.2, 3))}, writing=6.0),
        [Bottleneck.BATCHES, Bottleneck.DISK],
    ),
    "CPU before the end": (
        one_alias(buffer_size=50),
        accounts({"writer": alias(cpu=0.7, last=0.1)}, {"draft": asked("writer", steady(0.09))}, cpu={"id": 110.0}),
        [Bottleneck.CPU, Bottleneck.TAIL],
    ),
    "slots before the start": (
        one_alias(),
        accounts({"writer": alias(startup=0.15)}, {"draft": asked("writer", steady(0.4))}),
        [Bottleneck.SLOTS, Bottleneck.STARTUP],
    ),
}


@pytest.mark.parametrize("mixture", MIXTURES)
def test_of_several_the_most_effective_comes_first(mixture: str) -> None:
    """And the others after it, each with its own gain."""
    plan, made, expected = MIXTURES[mixture]
    found = advise(plan, made, cores=16)
    named = [one.bottleneck for one in found]
    assert [one for one in named if one in expected] == expected
    assert named[0] == expected[0]
    assert [one.expected for one in found] == sorted((one.expected for one in found), reverse=True)


def test_where_all_is_well_that_is_said() -> None:
    """An endpoint whose limit is known and full leaves nothing to be gained."""
    columns = {"draft": asked("writer", steady(0.48))}
    found = first(one_alias(), accounts({"writer": alias(refused=3, lowest_limit=8)}, columns))
    assert found.bottleneck == Bottleneck.NOTHING
    assert str(found) == "nothing holds it up: 'writer' was asking 100 % of the time; no setting saves much of it"


def test_where_nothing_was_measured_that_is_said() -> None:
    """A run that has only begun, and one that asks no model."""
    assert first(one_alias(), RunAccounts()).bottleneck == Bottleneck.NOTHING
    nobody = compiled(texts([]), 10)
    assert first(nobody, accounts({}, {})).bottleneck == Bottleneck.NOTHING


def test_the_same_accounts_give_the_same_advice() -> None:
    """It is a function of them."""
    plan, made, _ = MIXTURES["slots before refusals"]
    assert advise(plan, made) == advise(plan, made)


def test_accounts_of_which_little_is_known_are_taken_as_they_are() -> None:
    """Aliases that the plan does not have, columns that were never answered, tasks of no stage."""
    made = accounts({"writer": alias(), "gone": alias(last=0.9)}, {"old": asked("gone", steady(1.0))}, cpu={"x": 50.0})
    assert advise(one_alias(), replace(made, timeline=()))


def test_advice_travels_as_json() -> None:
    """With the sentence beside it."""
    found = first(pipeline(), accounts({"writer": alias(), "judge": FED}))
    data = json.loads(json.dumps(found.to_dict()))
    assert data["text"] == str(found)
    assert Advice.from_dict(data) == found
