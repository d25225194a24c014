"""Validation columns that ask a service: rows go there by HTTP, and verdicts come back."""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from data_designer.columns.structured.schemas import Schema, listed, named, resolved
from data_designer.config.column_configs import ValidationColumnConfig
from data_designer.config.models import SIMULATED_PROVIDER, ModelProvider
from data_designer.config.validator_params import SIMULATED_VALIDATOR, RemoteValidatorParams
from data_designer.errors import (
    ModelError,
    ParserException,
    RemoteValidationError,
    RemoteValidationSchemaError,
)
from data_designer.plan.model import Pool, Tries
from data_designer.plan.violation import Violation
from data_designer.values import GroupExchange, HttpRequest, HttpResponse, Nulled, Ok, Outcome, Reason, Record

if TYPE_CHECKING:
    import pyarrow as pa

    from data_designer.columns.structured.answers import ResponseSchema

_LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of an answer for one batch of rows."""
_EXACT: Final = range(-(2**63), 2**64)
"""Integers that JSON's readers take."""
_SHOWN: Final = 200

_Verdict = dict[str, object]


def service(column: ValidationColumnConfig, params: RemoteValidatorParams) -> Pool:
    """The pool of a column's validator: its own, however many columns ask at the same address."""
    alias = f"validator:{column.name}"
    if params.endpoint_url == SIMULATED_VALIDATOR:
        about = {} if params.output_schema is None else {"output_schema": params.output_schema}
        provider = ModelProvider(name=alias, provider_type=SIMULATED_PROVIDER, extra_body=about)
    else:
        provider = ModelProvider(name=alias, endpoint=params.endpoint_url, max_reply_bytes=_LARGEST_ANSWER)
    tries = Tries(params.timeout, params.max_retries, params.retry_backoff)
    return Pool(alias, params.max_parallel_requests, None, provider, rows_a_request=column.batch_size, tries=tries)


def violations(column: ValidationColumnConfig, params: RemoteValidatorParams) -> Iterator[Violation]:
    """What keeps a column from being asked for."""
    if params.endpoint_url != SIMULATED_VALIDATOR and not _is_address(params.endpoint_url):
        message = f"endpoint_url {params.endpoint_url[:_SHOWN]!r} is no address: write it as http://host:port/path"
        yield Violation("invalid_endpoint", column.name, message)
    if params.output_schema is not None:
        from data_designer.columns.structured.answers import schema_violations

        for message in schema_violations(params.output_schema):
            text = message.replace("output_format", "output_schema", 1)
            yield Violation("invalid_schema", column.name, text)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def arrow_type(params: RemoteValidatorParams) -> "pa.DataType | None":
    """The type of verdicts, where the schema fixes it."""
    from data_designer.columns.structured.arrow_types import arrow_type as type_of

    schema = params.output_schema or {}
    verdict = _of_verdict(schema)
    members = {**named(verdict, "properties"), "is_valid": {"type": "boolean"}}
    if len(members) == 1:
        return None
    required = [*listed(verdict, "required"), "is_valid"]
    about = {"$defs": named(schema, "$defs"), "additionalProperties": verdict.get("additionalProperties")}
    return type_of({"type": "object", "properties": members, "required": required, **about})


def _of_verdict(schema: Schema) -> Schema:
    """The part of an answer's schema that is about one verdict; nothing where there is none."""
    found: object = schema
    for keyword in ("properties", "data", "items", ""):
        while isinstance(found, Mapping) and isinstance(reference := found.get("$ref"), str):
            try:
                found = resolved(schema, reference)
            except (LookupError, ValueError):
                return {}
        if keyword:
            found = found.get(keyword) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


class RemoteValidationProgram:
    """Computes the cells of a column for the rows of a batch, so many a request as the column's `batch_size` says.

    A row whose verdict cannot be had is not lost: its cell is `{"is_valid": None}`, and why is kept beside the dataset.
    """

    def __init__(self, column: ValidationColumnConfig, params: RemoteValidatorParams) -> None:
        self._targets = tuple(column.target_columns)
        self._params = params
        self._size = column.batch_size

    @property
    def group_size(self) -> int:
        """Rows a request."""
        return self._size

    def exchange_of(self, records: Sequence[Record]) -> GroupExchange:
        """Ask for the verdicts of some rows."""
        rows = [{name: as_json(record[name]) for name in self._targets} for record in records]
        try:
            response = yield HttpRequest({"data": rows})
        except ModelError as error:
            return [self._nothing(RemoteValidationError, str(error))] * len(rows)
        assert isinstance(response, HttpResponse)
        try:
            return self._outcomes(self._answered(response.data), len(rows))
        except RemoteValidationSchemaError as error:
            return [self._nothing(type(error), str(error))] * len(rows)

    def _answered(self, data: object) -> list[object]:
        """The verdicts of an answer. Raises RemoteValidationSchemaError for what is none."""
        verdicts = data.get("data") if isinstance(data, dict) else None
        if not isinstance(verdicts, list):
            raise RemoteValidationSchemaError(
                f'the validator has to answer {{"data": [...]}} and answered {_shown(data)}'
            )
        if self._schema is None:
            return verdicts
        try:
            fitted = self._schema.fitted(data)
        except ParserException as error:
            why = "; ".join(line.removeprefix("- ") for line in str(error).splitlines() if line.startswith("- "))
            raise RemoteValidationSchemaError(f"the answer does not match output_schema: {why or error}") from error
        pruned = fitted.get("data") if isinstance(fitted, dict) else None
        return list(map(_with_verdict, pruned, verdicts)) if isinstance(pruned, list) else verdicts

    def _outcomes(self, verdicts: list[object], rows: int) -> list[Outcome | Nulled]:
        if len(verdicts) > rows:
            # Which verdict is whose cannot be known.
            raise RemoteValidationSchemaError(f"the validator answered {len(verdicts)} verdicts for {rows} rows")
        like = next((one for one in verdicts if isinstance(one, dict)), {})
        found = [self._outcome(one, like) for one in verdicts]
        short = f"the validator answered {len(verdicts)} verdicts for {rows} rows, and this row has none"
        return [*found, *[self._nothing(RemoteValidationSchemaError, short, like)] * (rows - len(found))]

    def _outcome(self, verdict: object, like: _Verdict) -> Outcome | Nulled:
        if not isinstance(verdict, dict):
            what = f"a verdict has to be an object and is {_shown(verdict)}"
            return self._nothing(RemoteValidationSchemaError, what, like)
        if "is_valid" not in verdict or not (verdict["is_valid"] is None or isinstance(verdict["is_valid"], bool)):
            said = _shown(verdict["is_valid"]) if "is_valid" in verdict else "missing"
            what = f"`is_valid` has to be true, false or null and is {said}"
            return self._nothing(RemoteValidationSchemaError, what, like)
        return Ok((verdict,))

    def _nothing(self, kind: type[Exception], why: str, like: Mapping[str, object] | None = None) -> Nulled:
        """A verdict that says nothing, with the members that others have."""
        members = like or named(_of_verdict(self._params.output_schema or {}), "properties")
        verdict = {"is_valid": None} | dict.fromkeys(members)
        return Nulled((verdict,), Reason(kind.__name__, why))

    @cached_property
    def _schema(self) -> "ResponseSchema | None":
        if self._params.output_schema is None:
            return None
        from data_designer.columns.structured.answers import ResponseSchema

        return ResponseSchema(self._params.output_schema)


def _with_verdict(pruned: object, given: object) -> object:
    """What a schema leaves of a verdict, with what every verdict has, which a schema need not declare."""
    if not isinstance(pruned, dict) or not isinstance(given, dict) or "is_valid" not in given:
        return pruned
    return {"is_valid": given["is_valid"], **pruned}


def as_json(value: object) -> object:
    """A cell as JSON data: NaN is null, bytes are base64, moments ISO text; what else JSON lacks is as it prints."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if value in _EXACT else str(value)
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): as_json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [as_json(inner) for inner in value]
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            isoformat = getattr(value, "isoformat", None)
            return isoformat() if callable(isoformat) else str(value)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
