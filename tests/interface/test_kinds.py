"""Every kind of column that asks somebody, in every way that a run of one process may go.

On Ray: tests/distributed/test_kinds_on_ray.py. The table of both: docs/explanation/kinds-under-failure.md.
"""

import re
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tests.gate import gate
from tests.interface.kinds import KINDS, RECORDS, SLOTS, TOOL, Undisturbed, begun, make, models
from tests.replies import LIMIT

kinds = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.needs(*kind.needs)) for name, kind in KINDS.items()]
)


@pytest.fixture(scope="module")
def undisturbed_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Undisturbed]:
    """From a kind and the address of the simulated model to a run of it, made once."""
    return cache(lambda name, simulated: Undisturbed.of(name, simulated, tmp_path_factory.mktemp("undisturbed")))


@pytest.fixture
def undisturbed(undisturbed_of: Callable[[str, str], Undisturbed], simulated: str, name: str) -> Undisturbed:
    """A run of the kind."""
    return undisturbed_of(name, simulated)


def test_the_page_names_every_kind_and_every_way() -> None:
    """Its table has a row for each kind, in this order, and its tests are there."""
    root = Path(__file__).parents[2]
    page = (root / "docs" / "explanation" / "kinds-under-failure.md").read_text()
    head, _, table = page.partition("| paid twice after a kill, at most |\n")
    assert head
    rows = [line.split("|")[1].strip() for line in table.partition("\n\n")[0].splitlines()]
    assert rows[1:] == [*KINDS]
    files = ("interface/test_kinds.py", "distributed/test_kinds_on_ray.py")
    code = "".join((root / "tests" / file).read_text() for file in files)
    named = re.findall(r"\| `(test_\w+)` \|", page)
    assert sorted(named) == sorted(re.findall(r"^def (test_(?!the_page)\w+)", code, re.MULTILINE))


@kinds
def test_inline_each_thing_is_asked_once_and_accounted_for(name: str, undisturbed: Undisturbed) -> None:
    """As many requests, and calls, as the kind has to make, within the slots; the dataset is whole, and says so."""
    kind, made = KINDS[name], undisturbed.made
    assert models(undisturbed.asked) == kind.asks
    assert sum(requests for requests, _ in made.spent.values()) == undisturbed.requests
    assert sum(calls for _, calls in made.spent.values()) == kind.asks.get(TOOL, 0)
    assert undisturbed.peak <= SLOTS
    assert (made.whole, len(made.rows)) == (RECORDS, RECORDS)
    assert made.is_sound()


@kinds
def test_the_same_seed_gives_the_same_data(name: str, simulated: str, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """In other batches: the same rows and files, for which the same is asked."""
    with gate(simulated) as passed:
        make(name, passed.url, tmp_path, buffer_size=RECORDS)
    undisturbed.check(tmp_path, passed)


@kinds
def test_a_run_that_is_killed_pays_twice_for_no_more_than_its_slots(
    name: str, simulated: str, undisturbed: Undisturbed, tmp_path: Path, processes: None
) -> None:
    """SIGKILL when all slots of a model are taken, which is the worst moment; what goes on comes to the same."""
    with gate(simulated, undisturbed.requests // 3, SLOTS) as passed:
        program = begun(name, passed.url, tmp_path)
        held = passed.is_held.wait(LIMIT)
        program.kill()
        program.join()
        assert held
        assert program.exitcode == -signal.SIGKILL
        passed.open()
        make(name, passed.url, tmp_path, "always")
    undisturbed.check(tmp_path, passed, KINDS[name].at_most_twice())


@kinds
def test_a_budget_stops_a_run_and_a_larger_one_goes_on(
    name: str, simulated: str, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """No request beyond it, and none twice in the end."""
    few = undisturbed.requests * 2 // 3
    with gate(simulated) as passed:
        stopped = make(name, passed.url, tmp_path, budget={"requests": few})
        assert passed.requests.total() <= few
        assert f"of {few} requests" in stopped.stopped
        assert stopped.whole < RECORDS
        assert stopped.is_sound()
        make(name, passed.url, tmp_path, "always", budget={"requests": 2 * undisturbed.requests})
    undisturbed.check(tmp_path, passed)
