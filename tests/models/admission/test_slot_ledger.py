"""What slots do, added up: each slot-second in one place, whatever is asked and waits at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_designer.models.admission.slot_ledger import SlotLedger, SlotTime

COUNTS = st.integers(0, 20)
MOMENTS = st.lists(
    st.tuples(st.integers(1, 10), COUNTS, COUNTS, COUNTS, st.integers(-5, 20), COUNTS, st.integers(-5, 20))
)
"""Of each: seconds, slots granted, usable and in use, requests that wait, those that wait for an endpoint, rows."""


def added(*moments: tuple[int, ...]) -> SlotTime:
    """What some stretches of time come to."""
    ledger = SlotLedger()
    for seconds, granted, usable, in_use, waiting, down, rows in moments:
        idle = ledger.pass_time(seconds, granted, usable, in_use)
        if idle:
            ledger.idled(seconds, idle, waiting, down, rows)
    return ledger.take()


@given(MOMENTS)
def test_every_slot_second_is_in_one_place(moments: list[tuple[int, ...]]) -> None:
    """The parts sum to what was granted, and none of them is negative."""
    moments = [(seconds, granted, min(usable, granted), *rest) for seconds, granted, usable, *rest in moments]
    found = added(*moments)
    parts = (found.asking, found.moving, found.down, found.held, found.preparing, found.starved)
    assert sum(parts) == pytest.approx(found.granted)
    assert found.granted == sum(seconds * granted for seconds, granted, *_ in moments)
    assert min(parts) >= 0


def test_idle_slots_are_matched_with_what_keeps_them_idle() -> None:
    """Requests that wait come first, those that wait for an endpoint before others, then rows; the rest have none."""
    found = added((2, 10, 10, 3, 4, 1, 2))
    assert found == SlotTime(granted=20, asking=6, down=2, held=6, preparing=4)
    assert found.starved == 2


def test_slots_that_are_given_back_are_nobody_s_until_all_of_them_are_free() -> None:
    """Ten were granted, four are to be kept, and six are in use still; then two are."""
    assert added((1, 10, 4, 6, 9, 0, 9)) == SlotTime(granted=10, asking=6, moving=4)
    assert added((1, 10, 4, 2, 0, 0, 0)) == SlotTime(granted=10, asking=2, moving=6)


def test_it_starts_anew_once_it_was_taken() -> None:
    """A report says what has happened since the one before."""
    ledger = SlotLedger()
    ledger.pass_time(1.0, 4, 4, 4)
    assert ledger.take() == SlotTime(granted=4, asking=4)
    assert ledger.take() == SlotTime()
