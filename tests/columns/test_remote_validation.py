"""Remote validators, without the way to them: rows go out, verdicts come back to their own rows."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from data_designer.columns.registry import KINDS
from data_designer.columns.remote_validation import RemoteValidationProgram, as_json
from data_designer.config.column_configs import ValidationColumnConfig
from data_designer.config.validator_params import RemoteValidatorParams, ValidatorType
from data_designer.errors import ModelTimeoutError
from data_designer.values import HttpRequest, HttpResponse, Nulled, Ok, Outcome

SCHEMA = {
    "type": "object",
    "properties": {
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"is_valid": {"type": ["boolean", "null"]}, "score": {"type": "integer"}},
                "required": ["is_valid", "score"],
            },
        }
    },
    "required": ["data"],
}


def column(schema: dict[str, Any] | None = None, url: str = "http://h/check", **more: Any) -> ValidationColumnConfig:
    """A column `v` of verdicts on `a` and `b`."""
    return ValidationColumnConfig(
        name="v",
        target_columns=["a", "b"],
        validator_type=ValidatorType.REMOTE,
        validator_params=RemoteValidatorParams(endpoint_url=url, output_schema=schema),
        **more,
    )


def answered(answer: object, rows: int = 2, schema: dict[str, Any] | None = None) -> Sequence[Outcome | Nulled]:
    """What some rows come to whose request gets an answer, or an error."""
    config = column(schema)
    params = config.validator_params
    assert isinstance(params, RemoteValidatorParams)
    records = [{"a": row, "b": f"b{row}", "other": "not a target"} for row in range(rows)]
    exchange = RemoteValidationProgram(config, params).exchange_of(records)
    request = next(exchange)
    assert isinstance(request, HttpRequest)
    assert request.body == {"data": [{"a": row, "b": f"b{row}"} for row in range(rows)]}
    with pytest.raises(StopIteration) as stop:
        exchange.throw(answer) if isinstance(answer, BaseException) else exchange.send(HttpResponse(answer))
    made: Sequence[Outcome | Nulled] = stop.value.value
    assert len(made) == rows
    return made


def reasons(made: Sequence[Outcome | Nulled]) -> list[tuple[str, str]]:
    """The verdicts that say nothing, each with why."""
    assert all(isinstance(one, Nulled) and one.values[0]["is_valid"] is None for one in made)  # type: ignore[index]
    return [(one.reason.kind, one.reason.message) for one in made if isinstance(one, Nulled)]


def test_each_row_gets_its_own_verdict_with_all_that_it_says() -> None:
    """By its place in the answer; null is a verdict too."""
    verdicts = [{"is_valid": True, "score": 3}, {"is_valid": None, "why": "unsure"}]
    assert answered({"data": verdicts}) == [Ok((verdicts[0],)), Ok((verdicts[1],))]


def test_a_short_answer_is_padded() -> None:
    """The rows that it says nothing of are null, with the members that the others have."""
    first, second = answered({"data": [{"is_valid": True, "score": 3}]})
    assert first == Ok(({"is_valid": True, "score": 3},))
    assert isinstance(second, Nulled)
    assert second.values == ({"is_valid": None, "score": None},)
    assert second.reason.message == "the validator answered 1 verdicts for 2 rows, and this row has none"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"data": [{"is_valid": True}] * 3}, "answered 3 verdicts for 2 rows"),
        ({"verdicts": []}, 'has to answer {"data": [...]} and answered'),
        ([1], "and answered [1]"),
        (None, "and answered None"),
    ],
)
def test_an_answer_that_is_none_makes_all_its_rows_null(answer: object, message: str) -> None:
    """Whose verdict is which cannot be known; no row is lost for it."""
    found = reasons(answered(answer))
    assert [kind for kind, _ in found] == ["RemoteValidationSchemaError"] * 2
    assert message in found[0][1]


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        ("fine", "a verdict has to be an object and is 'fine'"),
        ({"score": 1}, "`is_valid` has to be true, false or null and is missing"),
        ({"is_valid": 1}, "`is_valid` has to be true, false or null and is 1"),
    ],
)
def test_a_verdict_that_is_none_is_null_and_the_others_stay(verdict: object, message: str) -> None:
    """Only its own row is without one."""
    bad, good = answered({"data": [verdict, {"is_valid": False}]})
    assert reasons([bad]) == [("RemoteValidationSchemaError", message)]
    assert good == Ok(({"is_valid": False},))


def test_an_endpoint_that_fails_makes_rows_null() -> None:
    """With its own words."""
    assert (
        reasons(answered(ModelTimeoutError("no reply within 30 s")))
        == [("RemoteValidationError", "no reply within 30 s")] * 2
    )


def test_a_schema_prunes_and_refuses() -> None:
    """What it does not declare is left out; an answer that does not fit it is none, with the members that it names."""
    good = {"is_valid": True, "score": 3}
    assert answered({"data": [{**good, "more": 1}, good], "time": 2}, schema=SCHEMA) == [Ok((good,)), Ok((good,))]
    made = answered({"data": [good, {"is_valid": True, "score": "many"}]}, schema=SCHEMA)
    [(kind, why), _] = reasons(made)
    assert kind == "RemoteValidationSchemaError"
    assert "does not match output_schema: at $.data[1].score: 'many' is not of type 'integer'" in why
    assert [one.values for one in made if isinstance(one, Nulled)] == [({"is_valid": None, "score": None},)] * 2


def test_a_schema_that_does_not_name_the_verdict_keeps_it() -> None:
    """Every cell has `is_valid`."""
    items = {"type": "object", "properties": {"score": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"data": {"type": "array", "items": items}}}
    made = answered({"data": [{"is_valid": True, "score": 3, "x": 1}] * 2}, schema=schema)
    assert made == [Ok(({"is_valid": True, "score": 3},))] * 2


def test_a_schema_fixes_the_type_of_the_column() -> None:
    """So files hold numbers as numbers, also where all verdicts of one are null."""
    kind = KINDS["validation"]
    assert kind.arrow_type(column(SCHEMA)) == pa.struct([("is_valid", pa.bool_()), ("score", pa.int64())])
    assert kind.arrow_type(column()) is None


@pytest.mark.parametrize("url", ["check", "ftp://h/x", "http://", "http://h:x/", ""])
def test_an_address_that_is_none_is_said_before_anything_is_asked(url: str) -> None:
    """With the form that it should have."""
    [found] = KINDS["validation"].check(column(url=url))
    assert (found.type, found.column) == ("invalid_endpoint", "v")
    assert "write it as http://host:port/path" in found.message


def test_a_schema_that_is_none_is_said_too() -> None:
    """Under its own name."""
    [found] = KINDS["validation"].check(column({"type": 5}))
    assert found.type == "invalid_schema"
    assert "output_schema is no valid JSON Schema" in found.message


def test_cells_are_sent_as_json() -> None:
    """Whatever a column holds."""
    given = {"n": [1, 2.5, True, None], "nan": float("nan"), "big": 10**30, "day": date(2026, 1, 2), "raw": b"\x00"}
    sent = {"n": [1, 2.5, True, None], "nan": None, "big": str(10**30), "day": "2026-01-02", "raw": "AA=="}
    assert as_json(given) == sent
    assert as_json(Decimal("1.10")) == "1.10"
