"""How often Python looks for garbage while cells are made."""

import gc
from collections.abc import Iterator

import pytest

from data_designer.engine.execution.garbage import RARELY, collected_rarely


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_the_users_own_setting_is_back_when_the_last_run_ends() -> None:
    """Whichever of several runs ends first."""
    gc.set_threshold(700, 10, 9)
    first, second = collected_rarely(), collected_rarely()
    first.__enter__()
    second.__enter__()
    assert gc.get_threshold()[0] == RARELY[0]
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] == RARELY[0]
    second.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 10, 9)


@pytest.mark.parametrize("own", [(0, 10, 10), (50_000, 10, 10)])
def test_who_collects_more_rarely_or_never_goes_on_so(own: tuple[int, int, int]) -> None:
    """Nothing is changed that is better already."""
    gc.set_threshold(*own)
    with collected_rarely():
        assert gc.get_threshold() == own
    assert gc.get_threshold() == own
