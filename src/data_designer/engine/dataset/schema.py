"""The Arrow types of a dataset's columns: by declaration where it fixes them, else by their values.

What no declaration fixes (objects of the user's functions, free-form maps, members that may be absent) gets the type
that its values have so far, and JSON text where they have none in common; see `columns.arrow_types`. Files that came
out with different types read as one once `engine.dataset.promotion` has widened them.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from data_designer.columns.arrow_types import Type, field_of, fits, inferred, type_of, unified
from data_designer.columns.structured.pruning import decimal_places
from data_designer.engine.dataset.arrow_types import array_of
from data_designer.engine.dataset.encoding import lacks_json
from data_designer.plan.model import SAMPLERS, SEED, Plan, Step

logger = logging.getLogger(__name__)

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


def declared_types(plan: Plan, seed_schema: "pa.Schema | None" = None) -> dict[str, pa.DataType]:
    """The types of columns that the plan alone fixes.

    Args:
        plan: the plan.
        seed_schema: types of the seed dataset's columns, where there is one.
    """
    found = {config.name: _declared_type(config) for step in plan.steps for config in step.configs}
    for step in plan.steps:
        found.update((name, pa.string()) for name in step.makes if name.endswith("__reasoning_content"))
    if seed_schema is not None:
        found.update({field.name: type_of(field) for field in seed_schema})
    return {name: arrow for name, arrow in found.items() if arrow is not None}


def declared_fits(step: Step) -> tuple[Callable[[Any], bool] | None, ...]:
    """For each column that a step makes, whether a cell fits its declared type; None where nothing is declared."""
    if step.kind in (SEED, SAMPLERS) or len(step.configs) != 1:
        return (None,) * len(step.makes)
    declared = {step.configs[0].name: _declared_type(step.configs[0])}
    types = [declared.get(name) for name in step.makes]
    return tuple(None if arrow is None else fits(arrow) for arrow in types)


class Tables:
    """Makes the tables of one dataset's batches, as one process sees them.

    A column without a declared type gets the one that holds all its values in this process so far, so that later
    tables seldom differ.
    """

    def __init__(self, declared: Mapping[str, pa.DataType]) -> None:
        self._declared = dict(declared)
        self._found: dict[str, Type] = {}
        self._warned: set[str] = set()

    def table(self, columns: Mapping[str, Sequence[Any]]) -> pa.Table:
        """Rows as a table with the columns in their order. Every value that was kept (`engine.encoding`) has a form."""
        fields, arrays = [], []
        for name, values in columns.items():
            arrow = self._declared.get(name)
            if arrow is None:
                arrow = self._found[name] = unified(self._found.get(name, pa.null()), inferred(values))
            field, array = self._column(name, values, arrow)
            fields.append(field)
            arrays.append(array)
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def _column(self, name: str, values: Sequence[Any], arrow: Type) -> tuple[pa.Field, pa.Array]:
        if arrow is not None:
            field = field_of(name, arrow)
            try:
                return field, array_of(values, field)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                logger.debug("column=%s does not fit %s", name, arrow)
        self._declared.pop(name, None)
        self._found[name] = None
        if name not in self._warned and any(map(lacks_json, values)):
            self._warned.add(name)
            logger.warning(
                "column=%s holds values of several kinds, so it is stored as JSON text, in which moments, decimals and "
                "bytes are text; give values of one kind to keep them",
                name,
            )
        field = field_of(name, None)
        return field, array_of(values, field)


# --- types by declaration --------------------------------------------------------------------------------


def _declared_type(config: Any) -> "pa.DataType | None":
    """The type of a column; None where its values decide, as they do where a skip value is of another kind."""
    arrow = _column_type(config)
    skip = getattr(config, "skip", None)
    return arrow if arrow is None or skip is None or fits(arrow)(skip.value) else None


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
    """Of some declared values; None where they have none in common."""
    return inferred(values) if values else None


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
        places = decimal_places(schema)
        if places is not None and places[0] is not None:
            return pa.decimal128(38, min(places[0], 38))
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
