"""The simulated model's settings: read from a name or a command line, and what is drawn by them."""

import itertools
import subprocess
import sys
from dataclasses import fields
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_designer.simulated_model.faults import Fault, RequestFaults
from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess
from data_designer.simulated_model.settings import READERS

FAULTS: tuple[Fault, ...] = get_args(Fault)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("m?hang_rate=0.5", "hang_rate", 0.5),
        ("m?outage_after=3", "outage_after", 3.0),
        ("m?outage_after=none", "outage_after", None),
        ("m?revoked_after=7&seed=3", "revoked_after", 7),
        ("m?reject_above=None", "reject_above", None),
        ("m?requests_per_minute=60", "requests_per_minute", 60),
        ("m?native=0", "native", 0),
        ("m?guided=nvext", "guided", "nvext"),
        ("m?nothing=1", "seed", 0),
        ("m", "seed", 0),
    ],
)
def test_a_name_overrides_what_it_mentions(name: str, field: str, value: object) -> None:
    """Numbers, words and `none` are read as the setting's kind; what is no setting is no matter."""
    found = getattr(SimulatedModel(reject_above=4, outage_after=9).named(name), field)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("m?revoked_after=soon", "revoked_after is no int or none"),
        ("m?outage_after=x", "outage_after is no float or none"),
        ("m?native=yes", "native is no int"),
        ("m?seed=none", "seed is no int"),
        ("m?guided=grammar", "guided is guided_json"),
        ("m?rate_window=0", "rate_window is a positive number"),
        ("m?rate_window=nan", "rate_window is a positive number"),
        ("m?jitter_kind=zipf", "jitter_kind is uniform or lognormal"),
    ],
)
def test_settings_that_make_no_sense_are_named(name: str, said: str) -> None:
    """The error says which setting it is and what it may be."""
    with pytest.raises(ValueError, match=said):
        SimulatedModel().named(name)


def test_every_setting_can_be_read_from_text() -> None:
    """What a setting's default looks like in text is read as that default."""
    for field in fields(SimulatedModel):
        assert READERS[field.name](str(field.default)) == field.default


@pytest.mark.usefixtures("processes")
def test_a_program_takes_every_setting() -> None:
    """A server in a process of its own starts with all of them set, truth values too."""
    model = SimulatedModel(
        1, 0.1, 0.2, "lognormal", 0.3, outage_after=1e3, revoked_after=5, native=False, guided="nvext"
    )
    process = SimulatedServerProcess(model)
    with process as url:
        assert url.startswith("http://127.0.0.1:")
    assert "--native=0" in process._command
    assert not [option for option in process._command if option.endswith("None")]


@pytest.mark.usefixtures("processes")
def test_a_program_says_which_setting_it_cannot_read() -> None:
    """The option's name is in the error."""
    command = [sys.executable, "-m", "data_designer.simulated_model.server", "--revoked_after=soon"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "--revoked_after" in done.stderr


@given(seed=st.integers(), prompt=st.binary(max_size=16), ordinal=st.integers(0, 1 << 40))
def test_what_is_drawn_depends_on_seed_prompt_and_ordinal_only(seed: int, prompt: bytes, ordinal: int) -> None:
    """Whether one thing goes wrong, and how long it takes, is the same whatever else may go wrong."""
    alone = {
        fault: RequestFaults(SimulatedModel(seed=seed, **{f"{fault}_rate": 0.5}), prompt, ordinal) for fault in FAULTS
    }
    rates = {f"{fault}_rate": 0.5 for fault in FAULTS}
    together = RequestFaults(SimulatedModel(seed=seed, latency=1.0, jitter=0.5, **rates), prompt, ordinal)
    assert [one.has(fault) for fault, one in alone.items()] == [together.has(fault) for fault in FAULTS]
    assert (
        together.latency == RequestFaults(SimulatedModel(seed=seed, latency=1.0, jitter=0.5), prompt, ordinal).latency
    )
    assert not any(alone["reset"].has(fault) for fault in FAULTS if fault != "reset")


def test_things_go_wrong_independently_and_as_often_as_told() -> None:
    """Over many prompts each share is the rate, and two of them meet as often as independent ones do."""
    model = SimulatedModel(seed=3, **{f"{fault}_rate": 0.5 for fault in FAULTS})
    drawn = [RequestFaults(model, str(number).encode(), 0) for number in range(4000)]
    hits = {fault: [one.has(fault) for one in drawn] for fault in FAULTS}
    assert all(abs(sum(hit) / len(drawn) - 0.5) < 0.04 for hit in hits.values())
    for one, other in itertools.combinations(FAULTS, 2):
        both = sum(a and b for a, b in zip(hits[one], hits[other], strict=True))
        assert abs(both / len(drawn) - 0.25) < 0.04, (one, other)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_never_and_always_are_exact(rate: float) -> None:
    """A rate of none or all leaves nothing to be drawn."""
    model = SimulatedModel(**{f"{fault}_rate": rate for fault in FAULTS})
    drawn = [RequestFaults(model, str(number).encode(), number) for number in range(200)]
    assert {one.has(fault) for one in drawn for fault in FAULTS} == {bool(rate)}


@pytest.mark.parametrize("kind", ["uniform", "lognormal"])
def test_latencies_have_the_mean_that_is_asked_for(kind: str) -> None:
    """Whatever the spread, the mean over many prompts is the latency."""
    model = SimulatedModel(latency=0.2, jitter=0.5, jitter_kind=kind)
    drawn = [RequestFaults(model, str(number).encode(), 0).latency for number in range(4000)]
    assert abs(sum(drawn) / len(drawn) - 0.2) < 0.01
    assert min(drawn) > 0
    assert len(set(drawn)) > 3900
