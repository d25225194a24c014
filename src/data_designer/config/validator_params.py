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
    LOCAL_CALLABLE = "local_callable"
    REMOTE = "remote"


class CodeValidatorParams(ConfigBase):
    """Lints code."""

    validator_type: Literal["code"] = "code"
    code_lang: CodeLang

    @field_validator("code_lang")
    @classmethod
    def _has_a_linter(cls, language: CodeLang) -> CodeLang:
        if CodeLang.parse_lang(language) not in ("python", "sql"):
            raise ValueError(f"there is no validator for {language}; there are for python and SQL dialects")
        return language


class LocalCallableValidatorParams(ConfigBase):
    """Asks a function: DataFrame of target columns in, DataFrame with `is_valid` out."""

    validator_type: Literal["local_callable"] = "local_callable"
    validation_function: Callable[..., object]
    output_schema: dict[str, Any] | None = None
    """JSON schema of `{"data": [...]}`."""

    @field_serializer("validation_function")
    def _by_name(self, function: Callable[..., object]) -> str:
        return getattr(function, "__name__", type(function).__name__)


HOW_A_SERVICE_IS_ASKED = ("max_parallel_requests", "max_retries", "retry_backoff", "timeout")
"""Parameters of a remote validator that do not change what the data means."""
SIMULATED_VALIDATOR = "simulated"
"""Address of the validator that comes with the simulated model."""


class RemoteValidatorParams(ConfigBase):
    """Asks an HTTP endpoint: POST `{"data": [row, ...]}`, answered by `{"data": [{"is_valid": ...}, ...]}`."""

    validator_type: Literal["remote"] = "remote"
    endpoint_url: str
    """Where rows are posted; `simulated` for verdicts of the simulated model."""
    output_schema: dict[str, Any] | None = None
    """JSON schema of the answer; what it does not declare is left out."""
    timeout: float = Field(default=30.0, gt=0)
    """Seconds until an attempt is given up."""
    max_retries: int = Field(default=3, ge=0)
    """Attempts after the first: on 408, 409, 423 to 425, 429, 5xx, timeouts, broken connections and answers that are
    no JSON."""
    retry_backoff: float = Field(default=2.0, gt=1)
    """How many times longer each pause is than the one before; the first is of up to half a second."""
    max_parallel_requests: int = Field(default=4, ge=1)
    """Requests of this column in flight at once, on all machines together."""
