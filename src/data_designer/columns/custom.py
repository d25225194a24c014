"""Custom columns: the call contract between a user's function and a record or a table of records."""

import inspect
import logging
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from data_designer.columns.foreign_calls import is_end_of_process, line_in, said_by
from data_designer.columns.frames import cells, in_order, to_frame
from data_designer.config.column_configs import CustomColumnConfig, GenerationStrategy
from data_designer.errors import CustomColumnGenerationError, ModelError
from data_designer.plan.kinds import ColumnKind, Functions
from data_designer.plan.model import Plan, Scope, Step
from data_designer.plan.violation import Violation
from data_designer.values import Block, Drop, Exchange, Made, Ok, Outcome, Reason, Record

logger = logging.getLogger(__name__)

Given = TypeVar("Given")

NO_MODELS: Final[Mapping[str, object]] = MappingProxyType({})

_FIRST_PARAMETER: Final = {GenerationStrategy.CELL_BY_CELL: "row", GenerationStrategy.FULL_COLUMN: "df"}
_LATER_PARAMETERS: Final = ("generator_params", "models")
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class _Call:
    """How one column's function is called, and what it owes."""

    def __init__(self, config: CustomColumnConfig, makes: Sequence[str]) -> None:
        if violations := custom_violations(config):
            raise CustomColumnGenerationError("; ".join(violations))
        self.function: Callable[..., object] = config.generator_function
        self.name = f"function {_name(self.function)!r} of custom column {config.name!r}"
        self.required = tuple(config.required_columns)
        self.makes = tuple(makes)
        self._params = config.generator_params
        self._later = len(_parameters(self.function)) - 1
        self._warned = False

    def __call__(self, first: object, models: Mapping[str, object]) -> object:
        return self.function(first, *(self._params, models)[: self._later])

    def check_required(self, present: Collection[str]) -> None:
        """Check that every declared column is there before the function is called."""
        if missing := [name for name in self.required if name not in present]:
            raise CustomColumnGenerationError(
                f"{self.name} needs {_listed(missing)}, which no column of this dataset makes. "
                "Correct its `required_columns`."
            )

    def checked(self, result: object, wanted: type[Given], where: str) -> Given:
        """The result, which has to be of the kind that was given."""
        if not isinstance(result, wanted):
            raise CustomColumnGenerationError(
                f"{self.name} returned {type(result).__name__}{where}. It has to return what it was given, "
                f"a {wanted.__name__}."
            )
        return result

    def check_result(self, before: Collection[str], after: Collection[str], where: str) -> None:
        """Check what a result holds, and warn once of what nobody declared."""
        if missing := [name for name in self.makes if name not in after]:
            raise CustomColumnGenerationError(
                f"{self.name} returned no {_listed(missing)}{where}. It has to add its own column "
                "and each of its `side_effect_columns`."
            )
        if removed := [name for name in before if name not in after]:
            raise CustomColumnGenerationError(
                f"{self.name} removed {_listed(removed)}{where}. It has to return all that it was given; "
                "use `drop=True` on a column to leave it out of the dataset."
            )
        if not self._warned and (extra := set(after).difference(before, self.makes)):
            self._warned = True
            logger.warning(
                "%s adds %s, which it does not declare; such values are removed. "
                "Declare them as `side_effect_columns` to keep them.",
                self.name,
                _listed(sorted(map(str, extra))),
            )

    def raised(self, error: BaseException, where: str) -> Reason:
        """Say why a call failed."""
        known = isinstance(error, CustomColumnGenerationError)
        raised = f"{self.name} raised {type(error).__name__}{where}: {said_by(error)}"
        message = str(error) if known else f"{raised}{line_in(self.function, error)}"
        if isinstance(error, KeyError) and not self.required:
            message += "; a function is given the columns that its `required_columns` name"
        return Reason(CustomColumnGenerationError.__name__, message)


class CustomCellProgram:
    """Computes a cell of a custom column with the strategy `cell_by_cell`.

    A function that is `async def` has to be awaited: the caller runs `call`, awaits what it gives, and hands
    the result to `finish`, or an error to `failed`. For a function that is not, `exchange` does all three.

    Attributes:
        is_async: whether `call` gives something to await.
    """

    def __init__(self, config: CustomColumnConfig, makes: Sequence[str]) -> None:
        """Prepare the call.

        Args:
            config: The column.
            makes: The column and its side effects, in the order in which outcomes list them.

        Raises:
            CustomColumnGenerationError: the function cannot be called as its strategy asks.
        """
        self._call = _Call(config, makes)
        self.is_async = is_async(config)

    def exchange(self, record: Record, index: int) -> Exchange:
        """Compute the cell as an exchange without a request.

        Raises:
            ModelError: a model call inside the function failed in a way that may pass.
        """
        yield from ()
        try:
            result = self.call(record)
            if inspect.iscoroutine(result):
                result = _run_to_end(result)
        except BaseException as error:  # noqa: BLE001 - the function is the user's and may raise anything
            return self.failed(error, index)
        return self.finish(record, result, index)

    def call(self, record: Record, models: Mapping[str, object] = NO_MODELS) -> Any:
        """Call the function with a copy of the record; raises what it raises.

        Args:
            record: the record.
            models: what a function of three parameters is given, by alias.
        """
        self._call.check_required(record)
        return self._call(dict(record), models)

    def finish(self, record: Record, result: object, index: int) -> Outcome:
        """Judge what the function returned for a record."""
        where = f" for record {index}"
        try:
            made = self._call.checked(result, dict, where)
            self._call.check_result(record, made, where)
        except CustomColumnGenerationError as error:
            return self.failed(error, index)
        return Ok(tuple(made[name] for name in self._call.makes))

    def failed(self, error: BaseException, index: int) -> Outcome:
        """Judge what the function raised for a record.

        Raises:
            ModelError: it is one that may pass, so the cell may be tried again.
            SystemExit: this process is being ended.
        """
        if _goes_on(error):
            raise error
        return Drop(self._call.raised(error, f" for record {index}"))


class CustomColumnProgram:
    """Computes the cells of a custom column with the strategy `full_column`."""

    def __init__(self, config: CustomColumnConfig, makes: Sequence[str]) -> None:
        """Prepare the call; the arguments are those of `CustomCellProgram`.

        Raises:
            CustomColumnGenerationError: the function cannot be called as its strategy asks.
        """
        self._call = _Call(config, makes)

    def run(self, block: Block, models: Mapping[str, object] = NO_MODELS) -> Made:
        """Call the function with the block as a DataFrame; when it fails, all its rows are rejected.

        Args:
            block: the rows.
            models: what a function of three parameters is given, by alias.

        Raises:
            ModelError: a model call inside the function failed in a way that may pass.
            SystemExit: this process is being ended.
        """
        try:
            self._call.check_required(block.columns)
            return Made(self._columns(block, models))
        except BaseException as error:
            # The function is the user's and may raise anything.
            if _goes_on(error):
                raise
            reason = self._call.raised(error, "")
            return Made(
                {name: [None] * len(block) for name in self._call.makes},
                dict.fromkeys(range(len(block)), reason),
            )

    def _columns(self, block: Block, models: Mapping[str, object]) -> dict[str, list[object]]:
        import pandas as pd

        result = self._call.checked(self._call(to_frame(block.columns, len(block)), models), pd.DataFrame, "")
        if len(result) != len(block):
            raise CustomColumnGenerationError(
                f"{self._call.name} returned {len(result)} rows for {len(block)}. "
                "It has to return the rows it was given."
            )
        self._call.check_result(block.columns, list(result.columns), "")
        result = in_order(result)
        return {name: cells(result[name]) for name in self._call.makes}


def _goes_on(error: BaseException) -> bool:
    """Whether what came out of a function is more than the function's own failure."""
    return (isinstance(error, ModelError) and error.retryable) or is_end_of_process(error)


def is_async(config: CustomColumnConfig) -> bool:
    """Tell whether the column's function is `async def`."""
    return inspect.iscoroutinefunction(inspect.unwrap(config.generator_function))


def custom_violations(config: CustomColumnConfig) -> list[str]:
    """List what keeps the column's function from being called as its strategy asks; empty when it is fine."""
    strategy = GenerationStrategy(config.generation_strategy)
    wanted = (_FIRST_PARAMETER[strategy], *_LATER_PARAMETERS)
    names = tuple(_parameters(config.generator_function))
    function = f"function {_name(config.generator_function)!r}"
    found = []
    if not names or names != wanted[: len(names)]:
        found.append(
            f"{function} takes ({', '.join(names)}); with the strategy `{strategy.value}` it has to take "
            f"the first one, two or three of ({', '.join(wanted)})"
        )
    if strategy is GenerationStrategy.FULL_COLUMN and is_async(config):
        found.append(f"{function} is `async def`, which the strategy `full_column` cannot call")
    return found


def custom_program(config: CustomColumnConfig, makes: Sequence[str]) -> CustomCellProgram | CustomColumnProgram:
    """The program that the column's strategy asks for."""
    whole = config.generation_strategy == GenerationStrategy.FULL_COLUMN
    return CustomColumnProgram(config, makes) if whole else CustomCellProgram(config, makes)


def _parameters(function: Callable[..., object]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind in _POSITIONAL]


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _run_to_end(coroutine: Coroutine[object, None, object]) -> object:
    """Run a coroutine that waits for nothing.

    Raises:
        RuntimeError: it waits for something, so it needs an event loop.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("the function awaits something, so it has to be run on an event loop")


# --- the kind --------------------------------------------------------------------------------------------


def _build(step: Step, _plan: Plan, _seed_table: object) -> CustomCellProgram | CustomColumnProgram:
    [column] = step.of(CustomColumnConfig)
    return custom_program(column, step.makes)


def _check(column: CustomColumnConfig) -> Iterator[Violation]:
    for message in custom_violations(column):
        yield Violation("invalid_function", column.name, message)


def _scope(column: CustomColumnConfig) -> Scope:
    return scope_of(column.generation_strategy)


def scope_of(strategy: str) -> Scope:
    """Functions of the user that see several rows must see the same ones however a run is divided."""
    return "batch" if strategy == GenerationStrategy.FULL_COLUMN else "cell"


def _functions(column: CustomColumnConfig) -> Functions:
    return {"generator_function": column.generator_function}


def _classes(column: CustomColumnConfig) -> Functions:
    return classes_of(column.generator_params)


def classes_of(params: object) -> Functions:
    """The class of what a function is given as `generator_params`."""
    return {} if params is None else {"class of generator_params": type(params)}


CUSTOM = ColumnKind(
    config=CustomColumnConfig,
    build=_build,
    scope=_scope,
    check=_check,
    functions=_functions,
    classes=_classes,
    asks_freely=True,
    calls_any_tools=True,
    any_value=True,
)
