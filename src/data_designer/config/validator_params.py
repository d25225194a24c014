"""How values are judged valid."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, field_serializer, field_validator

from data_designer.config.base import ConfigBase
from data_designer.config.utils.code_lang import CodeLang


class ValidatorType(StrEnum):
    """Kinds of validators."""

    CODE = "code"
    """A linter judges code."""
    LOCAL_CALLABLE = "local_callable"
    """A function of yours judges rows."""
    REMOTE = "remote"
    """A service judges rows, over HTTP."""


class CodeValidatorParams(ConfigBase):
    """Parameters of `code`: a linter judges code, and nothing is executed.

    Python is judged by ruff, SQL by the parser of sqlfluff (`pip install data-designer-ray[sql]`).

    A cell of Python is an object with `is_valid`, `python_linter_score` (0 to 10), `python_linter_severity` (the worst
    of `none`, `refactor`, `convention`, `warning`, `error` and `fatal`) and `python_linter_messages` (each with `type`,
    `symbol`, `line`, `column`, `message`); code is valid unless the worst is `error` or `fatal`. A cell of SQL has
    `is_valid` and `error_messages` (a text). Of several target columns a cell maps each column to its verdict. Where
    the code is null, so is all of the verdict.
    """

    validator_type: Literal["code"] = "code"
    code_lang: CodeLang
    """Language of the target columns: `python`, or a dialect of SQL such as `sql:postgres`."""

    @field_validator("code_lang")
    @classmethod
    def _has_a_linter(cls, language: CodeLang) -> CodeLang:
        if CodeLang.parse_lang(language) not in ("python", "sql"):
            raise ValueError(f"there is no validator for {language}; there are for python and SQL dialects")
        return language


class LocalCallableValidatorParams(ConfigBase):
    """Parameters of `local_callable`: a function of yours judges rows. It cannot stand in a file: declare it in Python.

    A cell is an object with `is_valid` and whatever other columns the function returns. Where the function raises, or
    returns something else, all rows of the call are rejected.
    """

    validator_type: Literal["local_callable"] = "local_callable"
    validation_function: Callable[..., object]
    """Given the target columns of at most `batch_size` records as a DataFrame, returns a DataFrame with as many
    rows, in the same order, and a column `is_valid` of true, false or null."""
    output_schema: dict[str, Any] | None = None
    """JSON schema that `{"data": [row, ...]}` of what it returns has to fit; unset, nothing is checked."""

    @field_serializer("validation_function")
    def _by_name(self, function: Callable[..., object]) -> str:
        return getattr(function, "__name__", type(function).__name__)


HOW_A_SERVICE_IS_ASKED = ("max_parallel_requests", "max_retries", "retry_backoff", "timeout")
"""Parameters of a remote validator that do not change what the data means."""
SIMULATED_VALIDATOR = "simulated"
"""Address of the validator that comes with the simulated model."""


class RemoteValidatorParams(ConfigBase):
    """Parameters of `remote`: a service judges rows.

    It is sent `POST {"data": [row, ...]}`, the target columns of at most `batch_size` records, and answers `{"data":
    [{"is_valid": ...}, ...]}`, a verdict for each row in the same order.

    A cell is the verdict, an object with `is_valid` and whatever else it holds. Where no answer can be had it is
    `{"is_valid": null}`, and the record stays.
    """

    validator_type: Literal["remote"] = "remote"
    endpoint_url: str
    """Where rows are posted; `simulated` for verdicts of the simulated model."""
    output_schema: dict[str, Any] | None = None
    """JSON schema of the answer. One that does not fit is none; what the schema does not declare is left out."""
    timeout: float = Field(default=30.0, gt=0)
    """Seconds until an attempt is given up."""
    max_retries: int = Field(default=3, ge=0)
    """Attempts after the first: on 408, 409, 423 to 425, 429, 5xx, timeouts, broken connections and answers that are
    no JSON."""
    retry_backoff: float = Field(default=2.0, gt=1)
    """How many times longer each pause is than the one before; the first is of up to half a second."""
    max_parallel_requests: int = Field(default=4, ge=1)
    """Requests of this column in flight at once, on all machines together."""
