"""The Parquet schema of a dataset, derived from the plan alone, so that all its files read together.

What Arrow cannot fix from the plan (unions, free-form maps, objects of the user's functions) is stored as JSON
text in a string column whose field metadata says so; readers here turn it back.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from data_designer.plan.model import Plan
from data_designer.steps.seed_types import stored_type

ENCODING = b"data_designer.encoding"
JSON = b"json"
"""Field metadata key and value that mark a string column as JSON text."""

_NUMERIC = {
    "uniform": pa.float64(),
    "gaussian": pa.float64(),
    "bernoulli_mixture": pa.float64(),
    "scipy": pa.float64(),
}
_INTEGRAL = {"bernoulli": pa.int64(), "binomial": pa.int64(), "poisson": pa.int64()}
_TEXTUAL = {"uuid": pa.string(), "datetime": pa.string(), "timedelta": pa.string()}
_SAMPLED = _NUMERIC | _INTEGRAL | _TEXTUAL
_CONVERTED = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}
_EXPRESSION = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_PYTHON_VERDICT = pa.struct(
    [
        ("is_valid", pa.bool_()),
        ("python_linter_score", pa.float64()),
        ("python_linter_severity", pa.string()),
        (
            "python_linter_messages",
            pa.list_(
                pa.struct(
                    [
                        ("type", pa.string()),
                        ("symbol", pa.string()),
                        ("line", pa.int64()),
                        ("column", pa.int64()),
                        ("message", pa.string()),
                    ]
                )
            ),
        ),
    ]
)


def dataset_schema(plan: Plan, columns: Iterable[str], seed_schema: "pa.Schema | None" = None) -> pa.Schema:
    """The schema of some of the plan's columns.

    Args:
        plan: the plan.
        columns: names, in the order in which they are written.
        seed_schema: types of the seed dataset's columns, where there is one.
    """
    types = {config.name: _column_type(config) for step in plan.steps for config in step.configs}
    if seed_schema is not None:
        types.update({field.name: stored_type(field) for field in seed_schema})
    return pa.schema([_field(name, types.get(name)) for name in columns])


def _field(name: str, arrow: "pa.DataType | None") -> pa.Field:
    return pa.field(name, pa.string(), metadata={ENCODING: JSON}) if arrow is None else pa.field(name, arrow)


def is_json(field: pa.Field) -> bool:
    """Whether a column holds JSON text that stands for values."""
    return (field.metadata or {}).get(ENCODING) == JSON


def to_table(columns: Mapping[str, Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Rows to a table of exactly this schema; a value that does not fit its type becomes its nearest text or null.

    Raises:
        pa.ArrowInvalid: never for a value; a column that is missing is null.
    """
    length = max((len(values) for values in columns.values()), default=0)
    arrays = [_array(columns.get(field.name) or [None] * length, field) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Sequence[Any], field: pa.Field) -> pa.Array:
    if is_json(field):
        return pa.array([encode_json(value) for value in values], pa.string())
    try:
        return pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([_fitted(value, field.type) for value in values], field.type)


def _fitted(value: Any, arrow: pa.DataType) -> Any:
    """A value that its declared type cannot hold, such as a skip value of another kind: as text, or null."""
    if value is None:
        return None
    if pa.types.is_string(arrow):
        return value if isinstance(value, str) else str(value)
    try:
        return pa.scalar(value, arrow).as_py()
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return None


def encode_json(value: Any) -> str | None:
    """A cell as JSON text; None stays None. What JSON lacks is written as text."""
    if value is None:
        return None
    return orjson.dumps(
        value, default=_json_default, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    ).decode()


def _json_default(value: Any) -> Any:
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


def decode_json(text: str | None) -> Any:
    """Undo `encode_json`."""
    return None if text is None else orjson.loads(text)


def is_exact(value: Any) -> bool:
    """Whether a value is read back as it was, and of the same kind."""
    match value:
        case None | bool() | str():
            return True
        case int() | float():
            return type(value) in (int, float) and decode_json(encode_json(value)) == value
        case list():
            return type(value) is list and all(map(is_exact, value))
        case dict():
            return type(value) is dict and all(isinstance(k, str) and is_exact(v) for k, v in value.items())
        case _:
            return False


# --- types by declaration --------------------------------------------------------------------------------


def _column_type(config: Any) -> "pa.DataType | None":
    match config.column_type:
        case "sampler":
            return _sampler_type(config)
        case "llm-text" | "llm-code":
            return pa.string()
        case "expression":
            return _EXPRESSION[config.dtype]
        case "llm-structured":
            return json_schema_type(config.output_format)
        case "validation":
            return _validation_type(config)
        case _:
            return None


def _sampler_type(config: Any) -> "pa.DataType | None":
    kind = str(config.sampler_type.value if hasattr(config.sampler_type, "value") else config.sampler_type)
    if kind in _TEXTUAL:
        return pa.string()
    if config.convert_to in _CONVERTED:
        return _CONVERTED[config.convert_to]
    if kind in ("category", "subcategory"):
        return _values_type(_declared_values(config))
    return _SAMPLED.get(kind)


def _declared_values(config: Any) -> list[Any]:
    values: list[Any] = []
    for params in [config.params, *config.conditional_params.values()]:
        given = params.values
        values.extend(given if isinstance(given, list) else [v for some in given.values() for v in some])
    return values


def _values_type(values: Sequence[Any]) -> "pa.DataType | None":
    kinds = {type(value) for value in values}
    if kinds <= {str}:
        return pa.string()
    if kinds <= {bool}:
        return pa.bool_()
    if kinds <= {int}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else None


def _validation_type(config: Any) -> "pa.DataType | None":
    params = config.validator_params
    if config.validator_type != "code" or len(config.target_columns) != 1:
        return None
    if str(getattr(params.code_lang, "value", params.code_lang)) == "python":
        return _PYTHON_VERDICT
    return pa.struct([("is_valid", pa.bool_()), ("error_messages", pa.string())])


def json_schema_type(schema: Mapping[str, Any]) -> "pa.DataType | None":
    """The Arrow type that holds every instance of a JSON schema without loss; None where there is none."""
    try:
        return _schema_type(schema, schema.get("$defs", {}), ())
    except _NoArrowTypeError:
        return None


class _NoArrowTypeError(Exception):
    """A schema whose instances have no common Arrow type."""


def _schema_type(schema: Any, definitions: Mapping[str, Any], path: tuple[str, ...]) -> pa.DataType:
    if not isinstance(schema, Mapping):
        raise _NoArrowTypeError
    reference = schema.get("$ref")
    if reference is not None:
        name = str(reference).rsplit("/", 1)[-1]
        if name in path or name not in definitions:
            raise _NoArrowTypeError
        return _schema_type(definitions[name], definitions, (*path, name))
    if "enum" in schema or "const" in schema:
        return _strict_values(schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        if len(options) == 1:
            return _schema_type(options[0], definitions, path)
        raise _NoArrowTypeError
    return _plain_schema_type(schema, definitions, path)


def _strict_values(values: Sequence[Any]) -> pa.DataType:
    found = _values_type([value for value in values if value is not None])
    if found is None:
        raise _NoArrowTypeError
    return found


def _plain_schema_type(schema: Mapping[str, Any], definitions: Mapping[str, Any], path: tuple[str, ...]) -> pa.DataType:
    match schema.get("type"):
        case "string":
            return pa.string()
        case "integer":
            return pa.int64()
        case "number":
            return pa.float64()
        case "boolean":
            return pa.bool_()
        case "array" if "items" in schema and "prefixItems" not in schema:
            return pa.list_(_schema_type(schema["items"], definitions, path))
        case "object" if schema.get("properties") and not schema.get("additionalProperties"):
            required = set(schema.get("required", ()))
            if required != set(schema["properties"]):
                raise _NoArrowTypeError  # a struct cannot tell an absent member from a null one
            members = schema["properties"].items()
            return pa.struct([(name, _schema_type(member, definitions, path)) for name, member in members])
        case _:
            raise _NoArrowTypeError
