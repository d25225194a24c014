"""Validation columns: code judged by linters, or rows judged by a user's function or a service."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, assert_never

import numpy as np
import pyarrow as pa

from data_designer.columns import remote_validation
from data_designer.columns.foreign_calls import is_end_of_process, line_in, said_by
from data_designer.columns.frames import cells, in_order, to_frame
from data_designer.columns.linting import Linter, PythonLinter, SqlLinter, Verdict, ruff_path, sql_is_available
from data_designer.config.analysis.column_statistics import ValidationColumnStatistics
from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import LLMCodeColumnConfig, ValidationColumnConfig
from data_designer.config.utils.code_lang import CodeLang
from data_designer.config.validator_params import (
    SIMULATED_VALIDATOR,
    CodeValidatorParams,
    LocalCallableValidatorParams,
    RemoteValidatorParams,
)
from data_designer.errors import ConfigCompilationError, LocalCallableValidationError
from data_designer.plan.kinds import ColumnKind, Functions, Statistics
from data_designer.plan.model import Plan, Pool, Scope, Step
from data_designer.plan.profile import Profile
from data_designer.plan.program import Program
from data_designer.plan.violation import Violation
from data_designer.values import Block, Made, Reason

if TYPE_CHECKING:
    import pandas as pd
    from jsonschema.protocols import Validator

_NO_RUFF: Final = "judging Python needs ruff: pip install ruff"
_NO_SQL: Final = "judging SQL needs sqlfluff: install data-designer-ray[sql]"


class ValidationProgram:
    """Computes the cells of a validation column for a block of rows, which asks no service."""

    def __init__(self, config: ValidationColumnConfig) -> None:
        """Prepare the validator.

        Raises:
            ConfigCompilationError: it cannot run here; `unavailable` says why beforehand.
        """
        if why := unavailable(config):
            raise ConfigCompilationError(f"validation column {config.name!r}: {why}")
        self._name = config.name
        self._validator = _validator(config)

    def run(self, block: Block) -> Made:
        """Validate every row of the block."""
        values, drops = self._validator.validate(block)
        return Made({self._name: values}, drops)


def unavailable(config: ValidationColumnConfig) -> str | None:
    """Say why a column's validator cannot run here; None when it can."""
    match config.validator_params:
        case CodeValidatorParams(code_lang=lang) if CodeLang.parse_dialect(lang) is not None:
            return None if sql_is_available() else _NO_SQL
        case CodeValidatorParams():
            return None if ruff_path() is not None else _NO_RUFF
        case _:
            return None


def _validator(config: ValidationColumnConfig) -> "_CodeValidator | _LocalValidator":
    match config.validator_params:
        case CodeValidatorParams(code_lang=lang):
            dialect = CodeLang.parse_dialect(lang)
            linter: Linter = PythonLinter() if dialect is None else SqlLinter(dialect)
            return _CodeValidator(config.target_columns, linter)
        case LocalCallableValidatorParams() as params:
            return _LocalValidator(config, params)
        case RemoteValidatorParams():
            raise ConfigCompilationError(f"validation column {config.name!r}: its validator is a service")
        case _ as never:
            assert_never(never)


class _CodeValidator:
    """Judges each target on its own; with several targets a cell maps target to verdict."""

    def __init__(self, targets: Sequence[str], linter: Linter) -> None:
        self._targets = tuple(targets)
        self._linter = linter

    def validate(self, block: Block) -> tuple[list[object], dict[int, Reason]]:
        """Give a verdict for each row, and the reasons of rows rejected by their place."""
        rows = len(block)
        codes = [_code(value) for target in self._targets for value in block.columns[target]]
        verdicts = self._linter.verdicts(codes)
        if len(self._targets) == 1:
            return [*verdicts], {}
        by_target = {target: verdicts[n * rows : (n + 1) * rows] for n, target in enumerate(self._targets)}
        return [{target: by_target[target][row] for target in self._targets} for row in range(rows)], {}


def _schema_validator(schema: Mapping[str, object]) -> "Validator":
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # An explicit registry keeps the validator from fetching references over the network.
    return Draft202012Validator(schema, registry=Registry())


class _LocalValidator:
    """Calls the user's function with as many rows at a time as the column's `batch_size` says."""

    def __init__(self, config: ValidationColumnConfig, params: LocalCallableValidatorParams) -> None:
        self._targets = tuple(config.target_columns)
        self._size = config.batch_size
        self._function: Callable[[pd.DataFrame], object] = params.validation_function
        self._name = getattr(params.validation_function, "__name__", "validation_function")
        self._schema = None if params.output_schema is None else _schema_validator(params.output_schema)

    def validate(self, block: Block) -> tuple[list[object], dict[int, Reason]]:
        """Give a verdict for each row, and the reasons of rows rejected by their place."""
        values: list[object] = [None] * len(block)
        drops: dict[int, Reason] = {}
        order = np.argsort(block.rows, kind="stable").tolist()
        for start in range(0, len(order), self._size):
            places = order[start : start + self._size]
            rows = {name: [block.columns[name][place] for place in places] for name in self._targets}
            try:
                for place, verdict in zip(places, self._verdicts(rows), strict=True):
                    values[place] = verdict
            except BaseException as error:
                # The function is the user's and may raise anything.
                if is_end_of_process(error):
                    raise
                drops |= dict.fromkeys(places, self._reason(error))
        return values, drops

    def _verdicts(self, rows: Mapping[str, list[object]]) -> list[Verdict]:
        given = to_frame(rows, len(next(iter(rows.values()), ())))
        result = self._function(given.copy())
        if not isinstance(result, type(given)):
            raise LocalCallableValidationError(f"it returned {type(result).__name__} and has to return a DataFrame")
        if len(result) != len(given):
            raise LocalCallableValidationError(f"it returned {len(result)} rows for {len(given)}")
        if "is_valid" not in result.columns:
            raise LocalCallableValidationError("it returned no column `is_valid`")
        verdicts = _records(in_order(result))
        wrong = [verdict["is_valid"] for verdict in verdicts if verdict["is_valid"] not in (True, False, None)]
        if wrong:
            raise LocalCallableValidationError(f"`is_valid` has to be true, false or null and is {wrong[0]!r}")
        self._check_schema(verdicts)
        return verdicts

    def _check_schema(self, verdicts: list[Verdict]) -> None:
        if self._schema is None:
            return
        result: Any = {"data": verdicts}  # The stubs know only JSON; a cell that is none fits no schema.
        error = next(self._schema.iter_errors(result), None)
        if error is not None:
            raise LocalCallableValidationError(
                f"its result doesn't match output_schema at {error.json_path}: {error.message}"
            )

    def _reason(self, error: BaseException) -> Reason:
        known = isinstance(error, LocalCallableValidationError)
        raised = f"it raised {type(error).__name__}: {said_by(error)}"
        what = str(error) if known else f"{raised}{line_in(self._function, error)}"
        return Reason(LocalCallableValidationError.__name__, f"validation function {self._name!r}: {what}")


def _records(frame: "pd.DataFrame") -> list[Verdict]:
    columns = {str(name): cells(frame[name]) for name in frame.columns}
    columns["is_valid"] = [_truth(value) for value in columns["is_valid"]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _truth(value: object) -> bool | None:
    if value is None or value != value:  # noqa: PLR0124 - NaN is how pandas writes a missing one
        return None
    if value in (True, False):
        return bool(value)
    raise LocalCallableValidationError(f"`is_valid` has to be true, false or null and is {value!r}")


def _code(value: object) -> str | None:
    match value:
        case None:
            return None
        case float() if value != value:  # noqa: PLR0124 - NaN is how pandas writes a missing text
            return None
        case _:
            return str(value)


# --- the kind --------------------------------------------------------------------------------------------

_MESSAGE: Final = pa.struct(
    [
        ("type", pa.string()),
        ("symbol", pa.string()),
        ("line", pa.int64()),
        ("column", pa.int64()),
        ("message", pa.string()),
    ]
)
_PYTHON_VERDICT: Final = pa.struct(
    [
        ("is_valid", pa.bool_()),
        ("python_linter_score", pa.float64()),
        ("python_linter_severity", pa.string()),
        ("python_linter_messages", pa.list_(_MESSAGE)),
    ]
)
_SQL_VERDICT: Final = pa.struct([("is_valid", pa.bool_()), ("error_messages", pa.string())])


def _build(step: Step, _plan: Plan, _seed_table: object) -> Program:
    [column] = step.of(ValidationColumnConfig)
    if isinstance(column.validator_params, RemoteValidatorParams):
        return remote_validation.RemoteValidationProgram(column, column.validator_params)
    return ValidationProgram(column)


def _service(column: ValidationColumnConfig) -> Pool | None:
    params = column.validator_params
    return remote_validation.service(column, params) if isinstance(params, RemoteValidatorParams) else None


def _simulated(column: ValidationColumnConfig) -> ValidationColumnConfig:
    params = column.validator_params
    if not isinstance(params, RemoteValidatorParams):
        return column
    simulated = params.model_copy(update={"endpoint_url": SIMULATED_VALIDATOR})
    return column.model_copy(update={"validator_params": simulated})


def _scope(column: ValidationColumnConfig) -> Scope:
    """Whoever sees several rows must see the same ones however a run is divided."""
    return "cell" if isinstance(column.validator_params, CodeValidatorParams) else "batch"


def _functions(column: ValidationColumnConfig) -> Functions:
    match column.validator_params:
        case LocalCallableValidatorParams(validation_function=function):
            return {"validation_function": function}
        case _:
            return {}


def _lint(column: ValidationColumnConfig, makers: Mapping[str, SingleColumnConfig]) -> Iterator[Violation]:
    """Whether what is judged as code is code, in that language."""
    if not isinstance(column.validator_params, CodeValidatorParams):
        return
    lang = column.validator_params.code_lang
    for target in column.target_columns:
        judged = makers.get(target)
        if judged is None or judged.name != target:
            continue
        if not isinstance(judged, LLMCodeColumnConfig):
            message = f"validates '{target}', which is no llm-code column"
            yield Violation("code_column_not_code", column.name, message, "WARNING")
        elif judged.code_lang != lang:
            message = f"validates {lang}, but '{target}' is {judged.code_lang}"
            yield Violation("code_lang_mismatch", column.name, message)


def _check(column: ValidationColumnConfig) -> Iterator[Violation]:
    if missing := unavailable(column):
        yield Violation("unsupported", column.name, missing)
    if isinstance(column.validator_params, RemoteValidatorParams):
        yield from remote_validation.violations(column, column.validator_params)


def _arrow_type(column: ValidationColumnConfig) -> pa.DataType | None:
    if isinstance(column.validator_params, RemoteValidatorParams):
        return remote_validation.arrow_type(column.validator_params)
    if not isinstance(column.validator_params, CodeValidatorParams) or len(column.target_columns) != 1:
        return None
    dialect = CodeLang.parse_dialect(column.validator_params.code_lang)
    return _PYTHON_VERDICT if dialect is None else _SQL_VERDICT


def _statistics(column: ValidationColumnConfig, profile: Profile) -> Statistics:
    valid = profile.get("valid", 0)
    counts = {"num_valid_records": valid, "num_invalid_records": profile.get("invalid")}
    return ValidationColumnStatistics, {"column_type": column.column_type, **counts}


VALIDATION = ColumnKind(
    config=ValidationColumnConfig,
    build=_build,
    scope=_scope,
    service=_service,
    simulated=_simulated,
    missing_reference="code_column_missing",
    lint=_lint,
    check=_check,
    functions=_functions,
    arrow_type=_arrow_type,
    statistics=_statistics,
    group="verdict",
)
