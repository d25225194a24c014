"""Forecasts of what was measured: they take as long as the arithmetic says, whatever the size of the run."""

from dataclasses import replace

import pytest
from tests.engine.observe.accounted import accounts, alias, asked, pipeline, steady, stretched

from data_designer.engine.observe.forecast import Asks, Forecast, Scenario, measured, quantiles, records_of
from data_designer.engine.protocol.distribution import Distribution
from data_designer.plan.model import Geometry

FULL = {"writer": alias(), "judge": alias(upstream=0.9)}


def of(records: int = 1000, buffer_size: int = 100, **more: float) -> Scenario:
    """A run whose 8 slots of the writer are full for a minute."""
    made = accounts(FULL, records=records, writing=more.get("writing", 0.0))
    return measured(pipeline(records, buffer_size), made)


@pytest.mark.parametrize(("records", "buffer_size"), [(1000, 100), (1000, 1000), (20_000, 1000), (100_000, 1000)])
def test_a_run_of_any_size_takes_what_its_fullest_slots_take(records: int, buffer_size: int) -> None:
    """A minute here, though no more than some thousand cells are ever simulated."""
    assert Forecast(of(records, buffer_size)).seconds == pytest.approx(60, rel=0.06)


def test_twice_the_slots_halve_what_they_bound() -> None:
    """Of the busiest alias; those of the other change nothing."""
    usual = of(100_000)
    forecast = Forecast(usual)
    assert forecast.of(usual.with_slots("writer", 16)) == pytest.approx(forecast.seconds / 2, rel=0.08)
    assert forecast.of(usual.with_slots("judge", 16)) == pytest.approx(forecast.seconds, rel=0.02)


def test_a_thousand_slots_are_brought_down_with_the_records() -> None:
    """Else a simulated run would be over before they are full."""
    usual = of(1_000_000, 1000).with_slots("writer", 1024)
    writer, judge = usual.asks[1], usual.asks[2]
    usual = replace(usual, asks={1: (replace(writer[0], seconds=quantiles(steady(1.5))),), 2: judge})
    forecast = Forecast(usual)
    assert forecast.seconds == pytest.approx(1_000_000 * 1.5 / 1024, rel=0.1)
    assert forecast.of(usual.with_slots("writer", 2048)) == pytest.approx(forecast.seconds / 2, rel=0.2)


def test_work_of_cpus_and_of_the_disk_takes_its_time() -> None:
    """Each alone takes longer than the models."""
    usual = of(10_000)
    forecast = Forecast(usual)
    assert forecast.of(replace(usual, cpu={0: 0.02}).with_shape(workers=1)) == pytest.approx(200, rel=0.1)
    assert forecast.of(replace(usual, writing=0.03)) == pytest.approx(300, rel=0.1)


def test_requests_that_are_held_back_keep_their_slots() -> None:
    """An alias that asked half of the time and was held back in the other takes twice as long a request."""
    made = accounts({"writer": alias(held=0.5), "judge": alias(upstream=0.9)}, records=1000)
    assert measured(pipeline(), made).slower == {"writer": 2.0, "judge": 1.0}


def test_the_same_scenario_takes_the_same_time() -> None:
    """Nothing is drawn but by the record's number."""
    assert Forecast(of(5000)).seconds == Forecast(of(5000)).seconds


def test_quantiles_have_the_mean_of_the_numbers() -> None:
    """Whatever they leave out at the far end; nothing was measured where there are none."""
    numbers = stretched(1.0, 50)
    assert sum(quantiles(numbers)) / len(quantiles(numbers)) == pytest.approx(numbers.mean)
    assert quantiles(Distribution()) == quantiles(Distribution([0.0])) == (0.0,)


def test_a_record_asks_as_often_as_was_measured_on_average() -> None:
    """1,500 requests for 1,000 records are one each and another for every second record."""
    asks = Asks.measured(asked("writer", steady(1.0, 1500), cells=1000), 1000)
    totals = [asks.total(record, 0) for record in range(1000)]
    assert sum(totals) / 1000 == pytest.approx(1.5, rel=0.03)
    assert totals == [asks.total(record, 0) for record in range(1000)]


def test_slow_requests_are_cut_off_or_sent_again() -> None:
    """Cut off, none takes longer than the limit; sent again, some take the limit and the next try."""
    asks = Asks.measured(asked("writer", stretched(1.0, 50)), 500)
    assert max(asks.cut_at(3.0).seconds) == 3.0
    anew = asks.asked_anew_after(3.0)
    assert 3.0 < max(anew.seconds) < max(asks.seconds)
    assert sum(anew.seconds) < sum(asks.seconds)


def test_records_are_those_that_were_committed_or_at_least_begun() -> None:
    """A run that goes on has cells of records that no batch holds yet."""
    done = accounts(FULL, records=1000)
    assert records_of(done) == 1000
    assert records_of(replace(done, timeline=())) == 500
    assert records_of(replace(done, timeline=(), columns={})) == 1


def test_a_plan_that_asks_no_model_is_forecast_too() -> None:
    """Its CPU work is all that it takes."""
    made = accounts({}, {}, cpu={"id": 30.0})
    usual = measured(pipeline(), made)
    shape = replace(usual.shape, stages=usual.shape.stages[:1], slots={}, geometry=Geometry(1000, 100))
    forecast = Forecast(replace(usual, shape=shape, asks={}))
    assert forecast.seconds == pytest.approx(30 / 4, rel=0.3)
