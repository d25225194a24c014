"""Slots of a provider that takes fewer requests than its aliases have slots together: where the work is, never more."""

import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import NOWHERE, model, provider
from tests.plans import texts

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.engine.scheduling.shape import replica_numbers, shape_of
from data_designer.engine.scheduling.slot_allocator import Incarnation, SlotAllocator, Told
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan

A, B, C = (0, 1), (1, 1), (2, 1)
"""Replicas of the aliases `a`, `b` and `c`."""


@dataclass
class World:
    """Replicas that acknowledge what they are told, when they are asked to."""

    grants: SlotAllocator
    told: dict[Incarnation, int] = field(default_factory=dict)
    """What each was told and has not acknowledged."""
    slots: dict[Incarnation, int] = field(default_factory=dict)
    """What each runs with."""

    def hear(self, told: Told) -> Told:
        """Pass on what is told; nobody is told anything new before it has acknowledged."""
        for replica, slots in told:
            assert replica not in self.told
            self.told[replica] = slots
        return told

    def acknowledge(self, replica: Incarnation) -> Told:
        """One replica runs with what it was told."""
        self.slots[replica] = self.told.pop(replica)
        return self.hear(self.grants.acknowledge(replica, self.slots[replica]))

    def settle(self) -> dict[Incarnation, int]:
        """Everybody acknowledges until nobody is told anything; gives the slots of each."""
        for _ in range(1000):
            if not self.told:
                return self.slots
            self.acknowledge(next(iter(self.told)))
        raise AssertionError("slots go to and fro for ever")

    def add(self, replica: Incarnation, alias: str) -> None:
        """A replica comes up."""
        self.slots[replica] = 0
        self.hear(self.grants.add(replica, alias))

    def remove(self, replica: Incarnation) -> None:
        """A replica is known to be gone."""
        self.slots.pop(replica, None)
        self.told.pop(replica, None)
        self.hear(self.grants.remove(replica))

    def want(self, demand: Mapping[str, int], *holders: Incarnation) -> None:
        """Say where the work is."""
        self.hear(self.grants.want(demand, holders))

    @property
    def in_use(self) -> int:
        """Requests that may be in flight: a replica that was told to use fewer may still use what it had."""
        return sum(max(slots, self.told.get(replica, 0)) for replica, slots in self.slots.items())


def world(total: int, **slots: int) -> World:
    """A cap, and aliases with their slots, each with one replica, up and settled."""
    made = World(SlotAllocator(total, slots))
    for number, alias in enumerate(slots):
        made.add((number, 1), alias)
    made.settle()
    return made


def test_the_cap_is_shared_by_slots_where_all_have_work() -> None:
    """Six of twelve slots: the alias with twice as many gets twice as many."""
    of = world(6, a=8, b=4)
    of.want({"a": 100, "b": 100})
    assert of.settle() == {A: 4, B: 2}


def test_who_comes_first_gets_its_share_only_while_others_are_awaited() -> None:
    """Else it would hold rows for all slots, and would have few slots for them once the others are there."""
    of = World(SlotAllocator(12, {"a": 12}, {"a": 3}))
    of.add((0, 1), "a")
    assert of.settle() == {(0, 1): 4}
    of.add((1, 2), "a")  # Its first incarnation never came up.
    assert of.settle() == {(0, 1): 4, (1, 2): 4}
    of.remove((1, 2))
    of.add((1, 3), "a")
    assert of.settle() == {(0, 1): 4, (1, 3): 4}
    of.hear(of.grants.await_no_more())
    assert of.settle() == {(0, 1): 6, (1, 3): 6}
    of.add((2, 1), "a")
    assert of.settle() == {(0, 1): 4, (1, 3): 4, (2, 1): 4}


def test_what_has_no_work_gives_its_slots_to_what_has() -> None:
    """All of the cap works, and comes back when the work does."""
    of = world(4, a=4, b=4)
    of.want({"a": 100, "b": 0})
    assert of.settle() == {A: 4, B: 0}
    of.want({"a": 100, "b": 100})
    assert of.settle() == {A: 2, B: 2}


def test_what_has_little_work_keeps_no_more_than_that() -> None:
    """A last row needs one slot; the others get the rest."""
    of = world(8, a=8, b=8)
    of.want({"a": 1, "b": 100})
    assert of.settle() == {A: 1, B: 7}


def test_an_alias_never_gets_more_than_its_own_slots() -> None:
    """What it cannot use goes to those who have nothing to do, so that it is there at once when they have."""
    of = world(6, a=2, b=8)
    of.want({"a": 100, "b": 0})
    assert of.settle() == {A: 2, B: 4}


def test_slots_are_taken_from_one_before_another_gets_them() -> None:
    """Until the one that loses slots has acknowledged, the other is told nothing."""
    of = world(4, a=4, b=4)
    of.want({"a": 100, "b": 0})
    of.settle()
    assert of.hear(of.grants.want({"a": 0, "b": 100}, ())) == [(A, 0)]
    assert of.hear(of.grants.want({"a": 0, "b": 100}, ())) == []
    assert of.acknowledge(A) == [(B, 4)]


@pytest.mark.parametrize(("total", "slots"), [(3, (2, 2, 2)), (3, (50, 50, 1)), (4, (1, 1, 9))])
def test_every_alias_with_work_gets_on(total: int, slots: tuple[int, int, int]) -> None:
    """With slots enough for one each, an alias of one slot is not starved by others of many."""
    of = world(total, **dict(zip("abc", slots, strict=True)))
    of.want({"a": 1000, "b": 1000, "c": 1000})
    assert all(of.settle().values())


def test_a_cap_of_one_goes_round() -> None:
    """One request at a time: the second alias is served when the first has nothing left to do."""
    of = world(1, a=4, b=4)
    of.want({"a": 2, "b": 2})
    first = dict(of.settle())
    assert sorted(first.values()) == [0, 1]
    busy, idle = sorted(first, key=lambda replica: -first[replica])
    of.want({"a": 0 if busy == A else 2, "b": 0 if busy == B else 2})
    assert of.settle() == {busy: 0, idle: 1}


def test_who_holds_rows_comes_first() -> None:
    """One slot for two replicas of an alias goes to the one with rows, which nobody else can finish."""
    of = world(2, a=8, b=8)
    late = (7, 1)
    of.add(late, "a")
    of.settle()
    of.want({"a": 3, "b": 3}, late)
    assert of.settle() == {A: 0, B: 1, late: 1}
    of.want({"a": 3, "b": 3}, A)
    assert of.settle() == {A: 1, B: 1, late: 0}


def test_slots_of_one_that_cannot_be_reached_are_lent_to_nobody() -> None:
    """It may still use them; when it is known to be gone they are shared again."""
    of = world(4, a=4, b=4)
    of.want({"a": 100, "b": 0})
    of.settle()
    of.hear(of.grants.lose(A))
    of.want({"a": 100, "b": 100})
    assert of.settle() == {A: 4, B: 0}
    of.remove(A)
    assert of.settle() == {B: 4}


def test_one_that_is_to_leave_gives_its_slots_to_the_others() -> None:
    """It is told first, and the other only when it has acknowledged; then it holds none."""
    of, late = World(SlotAllocator(6, {"a": 6})), (7, 1)
    of.add(A, "a")
    of.add(late, "a")
    of.settle()
    assert of.hear(of.grants.leave(late)) == [(late, 0)]
    assert not of.grants.holds_none(late)
    assert of.acknowledge(late) == [(A, 6)]
    assert of.grants.holds_none(late)
    assert of.settle() == {A: 6, late: 0}


def test_what_an_alias_that_leaves_as_a_whole_had_is_another_s() -> None:
    """Until it is there again, all of a cap works."""
    of = world(4, a=4, b=4)
    of.want({"a": 100, "b": 100})
    of.settle()
    of.hear(of.grants.leave(A))
    assert of.settle() == {A: 0, B: 4}
    of.remove(A)
    of.add((0, 2), "a")
    assert of.settle() == {B: 2, (0, 2): 2}


def test_where_the_cap_is_no_cap_slots_stay() -> None:
    """As many as all aliases have together: work or not, nobody gives anything away."""
    of = world(100, a=4, b=2)
    assert of.grants.total == 6
    assert of.hear(of.grants.want({"a": 100, "b": 0}, ())) == []
    assert of.settle() == {A: 4, B: 2}


# --- whatever happens --------------------------------------------------------------------------------------------

NUMBERS = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NUMBERS),
        st.tuples(st.just("remove"), NUMBERS),
        st.tuples(st.just("lose"), NUMBERS),
        st.tuples(st.just("leave"), NUMBERS),
        st.tuples(st.just("acknowledge"), NUMBERS),
        st.tuples(st.just("want"), st.tuples(NUMBERS, NUMBERS, NUMBERS, st.sets(NUMBERS))),
    ),
    max_size=50,
)
SLOTS = st.fixed_dictionaries({"a": st.integers(1, 9), "b": st.integers(1, 9), "c": st.integers(1, 9)})


def alias_of(number: int) -> str:
    """Each alias has two replicas."""
    return "abc"[number % 3]


def do(of: World, step: tuple[str, int | tuple[int, int, int, set[int]]]) -> None:
    """One thing happens, where it can."""
    match step:
        case "add", int(number) if (number, 1) not in of.slots:
            of.add((number, 1), alias_of(number))
        case "remove", int(number):
            of.remove((number, 1))
        case "lose", int(number):
            of.told.pop((number, 1), None)
            of.hear(of.grants.lose((number, 1)))
        case "leave", int(number):
            of.hear(of.grants.leave((number, 1)))
        case "acknowledge", int(number):
            with suppress(KeyError):
                of.acknowledge((number, 1))
        case "want", (int(a), int(b), int(c), set(holders)):
            of.want({"a": a, "b": b, "c": c}, *((number, 1) for number in holders))
        case _:
            pass


@given(total=st.integers(1, 20), slots=SLOTS, steps=STEPS)
def test_the_cap_holds_whatever_happens(
    total: int, slots: dict[str, int], steps: list[tuple[str, int | tuple[int, int, int, set[int]]]]
) -> None:
    """Replicas come, go, fall silent and acknowledge late: never more than the cap, never more than an alias has."""
    of = World(SlotAllocator(total, slots))
    for step in steps:
        do(of, step)
        assert of.in_use <= of.grants.granted <= total
        for alias, own in slots.items():
            assert of.grants.granted_to(alias) <= own


@given(total=st.integers(1, 20), slots=SLOTS, steps=STEPS, demand=st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_all_of_the_cap_works_where_there_is_work_for_it(
    total: int,
    slots: dict[str, int],
    steps: list[tuple[str, int | tuple[int, int, int, set[int]]]],
    demand: tuple[int, int, int],
) -> None:
    """Once all have acknowledged, no slot is without work as long as there is work that may have it."""
    of = World(SlotAllocator(total, slots))
    for step in steps:
        if step[0] not in ("lose", "leave"):
            do(of, step)
    of.settle()
    wanted = dict(zip("abc", demand, strict=True))
    of.want(wanted)
    of.settle()
    given_to = {alias: sum(n for r, n in of.slots.items() if alias_of(r[0]) == alias) for alias in slots}
    useful = {
        alias: min(wanted[alias], slots[alias]) for alias in slots if any(alias_of(r[0]) == alias for r in of.slots)
    }
    if total >= sum(slots.values()):
        assert given_to == {alias: slots[alias] if alias in useful else 0 for alias in slots}
        return
    assert sum(min(given_to[alias], useful[alias]) for alias in useful) == min(total, sum(useful.values()))


# --- from a provider's cap to grants -----------------------------------------------------------------------------


def plan(replicas: int | None, caps: Mapping[str, int | None]) -> Plan:
    """Two text columns a provider, of models with eight slots each; providers with their caps."""
    asked = {f"x_{one.alias}": (one.alias, "{{ id }}") for one in models(caps)}
    providers = {name: provider(NOWHERE, name=name, max_parallel_requests=cap) for name, cap in caps.items()}
    run = dd.RunConfig(replicas_per_model=replicas)
    return compile_plan(texts(models(caps), **asked).build(), providers, run, Geometry(10, 10), seed=1, kinds=KINDS)


def models(caps: Mapping[str, int | None]) -> Iterator[dd.ModelConfig]:
    """Two a provider."""
    for name in caps:
        for number in (1, 2):
            yield model(f"{name}{number}", provider=name, max_parallel_requests=8)


def test_aliases_of_a_provider_with_a_cap_share_it_and_others_do_not() -> None:
    """A cap concerns the aliases of its own provider only."""
    shape = shape_of(plan(None, {"p": 5, "q": None, "r": 9}))
    assert shape.shared == ((5, ("p1", "p2")), (9, ("r1", "r2")))


@pytest.mark.parametrize(("cap", "each"), [(None, 4), (9, 4), (5, 2), (1, 1)])
def test_an_alias_has_no_more_replicas_than_its_part_of_the_cap(cap: int | None, each: int) -> None:
    """When all aliases are busy each replica has a slot, if there are as many slots as aliases."""
    numbers = replica_numbers(plan(4, {"p": cap}), cpus=8)
    assert sorted(numbers.values()) == ["p1"] * each + ["p2"] * each


def test_every_alias_with_work_has_a_slot_before_any_has_two() -> None:
    """However much more work another has, and may have."""
    world = World(SlotAllocator(3, {"a": 100, "b": 1, "c": 1}))
    for replica, alias in ((A, "a"), (B, "b"), (C, "c")):
        world.add(replica, alias)
    world.hear(world.grants.want({"a": 1000, "b": 5, "c": 5}, ()))
    assert world.settle() == {A: 1, B: 1, C: 1}


# --- others join, and those that are there give way ---------------------------------------------------------------


def joined(slots: int, coming: int) -> World:
    """A replica of the alias `a` that has all its slots, and gives way to others that are to come."""
    of = World(SlotAllocator(slots, {"a": slots}, {"a": 1}))
    of.add((0, 1), "a")
    of.settle()
    of.hear(of.grants.join({"a": coming}, frozenset({0})))
    return of


def test_who_gives_way_keeps_what_is_awaited_and_loses_it_as_others_come() -> None:
    """No slot is kept free for those that are not there; in the end the others have all."""
    of = joined(32, coming=2)
    assert of.settle() == {(0, 1): 32}
    of.add((1, 1), "a")
    assert of.settle() == {(0, 1): 16, (1, 1): 16}
    assert not of.grants.is_replaced((0, 1))
    of.add((2, 1), "a")
    assert of.settle() == {(0, 1): 0, (1, 1): 16, (2, 1): 16}
    assert of.grants.is_replaced((0, 1))


def test_who_gives_way_does_so_in_steps() -> None:
    """So that few slots are idle at a time, until the requests that have them are answered."""
    of = joined(32, coming=1)
    of.add((1, 1), "a")
    steps = []
    while of.told:
        who = next(iter(of.told))
        steps.append((who[0], of.told[who]))
        of.acknowledge(who)
    assert [slots for replica, slots in steps if not replica] == list(range(30, -1, -2))
    assert [slots for replica, slots in steps if replica] == list(range(2, 33, 2))


def test_who_gives_way_takes_back_what_a_lost_one_had() -> None:
    """While nobody else is there."""
    of = joined(8, coming=1)
    of.add((1, 1), "a")
    of.acknowledge((0, 1))
    of.remove((1, 1))
    assert of.settle() == {(0, 1): 8}


def test_those_that_do_not_come_in_time_are_not_waited_for() -> None:
    """Whoever has come has all."""
    of = joined(8, coming=3)
    of.add((1, 1), "a")
    of.settle()
    of.hear(of.grants.await_no_more())
    assert of.settle() == {(0, 1): 0, (1, 1): 8}


@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 999))
def test_the_cap_holds_while_others_join_whatever_comes_first(slots: int, coming: int, seed: int) -> None:
    """Replicas come up, are lost, and acknowledge in any order; in the end who gave way has nothing."""
    coming, rng = min(coming, slots), random.Random(seed)
    of = joined(slots, coming)
    waiting = [(number, 1) for number in range(1, coming + 1)]
    while waiting or of.told:
        if waiting and (not of.told or rng.random() < 0.3):
            of.add(waiting.pop(), "a")
        else:
            of.acknowledge(rng.choice(list(of.told)))
        assert of.in_use <= slots
        if len(of.slots) > 1 and rng.random() < 0.1:
            number, epoch = lost = max(of.slots)
            of.remove(lost)
            waiting.append((number, epoch + 1))
    assert of.slots[0, 1] == 0
    assert sum(of.slots.values()) == slots
