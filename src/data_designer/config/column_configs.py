"""Columns: what each kind is computed from."""

from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, field_serializer, field_validator, model_validator
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import DecimalSchema

from data_designer.config.base import ConfigBase, SingleColumnConfig
from data_designer.config.media import AnyContext
from data_designer.config.sampler_params import SamplerParams, SamplerType
from data_designer.config.templates import check_syntax, references
from data_designer.config.utils.code_lang import CodeLang
from data_designer.config.utils.trace_type import TraceType
from data_designer.config.validator_params import (
    CodeValidatorParams,
    LocalCallableValidatorParams,
    RemoteValidatorParams,
    ValidatorType,
)
from data_designer.errors import InvalidConfigError

__all__ = [
    "ConversationRole",
    "CustomColumnConfig",
    "EmbeddingColumnConfig",
    "ExpressionColumnConfig",
    "GenerationStrategy",
    "ImageColumnConfig",
    "LLMCodeColumnConfig",
    "LLMConversationColumnConfig",
    "LLMJudgeColumnConfig",
    "LLMStructuredColumnConfig",
    "LLMTextColumnConfig",
    "SamplerColumnConfig",
    "Score",
    "SeedDatasetColumnConfig",
    "ValidationColumnConfig",
]
"""What users find in `data_designer.config`."""


class GenerationStrategy(StrEnum):
    """Whether a function makes a cell or a column."""

    CELL_BY_CELL = "cell_by_cell"
    FULL_COLUMN = "full_column"


class _NoSideEffects(SingleColumnConfig):
    @property
    def side_effect_columns(self) -> list[str]:
        """None."""
        return []


def _with_type(data: object, outer: str, *inner: str) -> object:
    """Tell parameters that are dicts which kind they are."""
    if not isinstance(data, dict) or outer not in data:
        return data
    data = dict(data)
    kind = getattr(data[outer], "value", data[outer])
    for name in inner:
        given = data.get(name)
        if isinstance(given, dict):
            data[name] = {outer: kind, **given}
    return data


class SamplerColumnConfig(_NoSideEffects):
    """A column whose values are drawn."""

    column_type: Literal["sampler"] = "sampler"
    sampler_type: SamplerType
    params: SamplerParams
    conditional_params: dict[str, SamplerParams] = Field(default_factory=dict)
    """Jinja condition without braces to the parameters in force where it holds."""
    convert_to: str | None = None
    """`int`, `float`, `str`, or a strftime pattern."""

    @model_validator(mode="before")
    @classmethod
    def _tell_kind(cls, data: object) -> object:
        data = _with_type(data, "sampler_type", "params")
        if isinstance(data, dict) and isinstance(data.get("conditional_params"), dict) and "sampler_type" in data:
            kind = getattr(data["sampler_type"], "value", data["sampler_type"])
            data["conditional_params"] = {
                condition: {"sampler_type": kind, **params} if isinstance(params, dict) else params
                for condition, params in data["conditional_params"].items()
            }
        return data

    @model_validator(mode="after")
    def _never_skipped(self) -> "SamplerColumnConfig":
        _refuse_skip(self)
        return self

    @property
    def required_columns(self) -> list[str]:
        """None: samplers order themselves."""
        return []

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🎲"


def _refuse_skip(column: SingleColumnConfig) -> None:
    if column.skip is not None:
        raise ValueError(f"column '{column.name}': {column.column_type} columns cannot be skipped")


class LLMTextColumnConfig(SingleColumnConfig):
    """A column that a model writes."""

    column_type: Literal["llm-text"] = "llm-text"
    prompt: str
    """Jinja template."""
    model_alias: str
    system_prompt: str | None = None
    """Jinja template."""
    multi_modal_context: list[AnyContext] | None = None
    tool_alias: str | None = None
    with_trace: TraceType = TraceType.NONE
    """Keep the conversation in `<name>__trace`."""
    extract_reasoning_content: bool = False
    """Keep the model's reasoning in `<name>__reasoning_content`."""

    @field_validator("prompt", "system_prompt")
    @classmethod
    def _parses(cls, template: str | None) -> str | None:
        return template if template is None else check_syntax(template)

    @property
    def required_columns(self) -> list[str]:
        """Names in the prompts, and columns of media."""
        media = {context.column_name for context in self.multi_modal_context or ()}
        return sorted(references(self.prompt) | references(self.system_prompt or "") | media)

    @property
    def side_effect_columns(self) -> list[str]:
        """Trace and reasoning, where they are kept."""
        trace = [f"{self.name}__trace"] if self.with_trace != TraceType.NONE else []
        return [*trace, *([f"{self.name}__reasoning_content"] if self.extract_reasoning_content else [])]

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "📝"


class LLMCodeColumnConfig(LLMTextColumnConfig):
    """A column of code that a model writes."""

    column_type: Literal["llm-code"] = "llm-code"  # type: ignore[assignment]
    code_lang: CodeLang

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "💻"


class _WithDecimalPatterns(GenerateJsonSchema):
    """Says in the schema of a pydantic class which texts are decimals, and of how many places."""

    def get_decimal_pattern(self, schema: DecimalSchema) -> str | None:
        """A pattern from which `columns.structured.pruning` reads the places after the point."""
        digits, places = schema.get("max_digits"), schema.get("decimal_places")
        whole = "+" if digits is None or places is None else f"{{1,{max(1, digits - places)}}}"
        fraction, some = ("*", "+") if places is None else (f"{{0,{places}}}0*", f"{{1,{max(1, places)}}}0*")
        return rf"^[+-]?0*(\d{whole}\.?\d{fraction}|\.\d{some})$"


class LLMStructuredColumnConfig(LLMTextColumnConfig):
    """A column of JSON that a model writes to a schema."""

    column_type: Literal["llm-structured"] = "llm-structured"  # type: ignore[assignment]
    output_format: dict[str, Any]
    """JSON schema, or a pydantic class, which is turned into its schema."""

    @field_validator("output_format", mode="before")
    @classmethod
    def _schema(cls, output_format: object) -> object:
        if isinstance(output_format, type) and issubclass(output_format, BaseModel):
            return output_format.model_json_schema(schema_generator=_WithDecimalPatterns)
        return output_format

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🗂️"


class Score(ConfigBase):
    """One thing a judge scores."""

    name: str
    description: str
    options: dict[int | str, str]
    """Score to what it means."""


class LLMJudgeColumnConfig(LLMTextColumnConfig):
    """A column of scores that a model gives."""

    column_type: Literal["llm-judge"] = "llm-judge"  # type: ignore[assignment]
    scores: list[Score] = Field(min_length=1)

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "⚖️"


class ConversationRole(ConfigBase):
    """One who speaks in a conversation. A model plays the role, in a thread of its own."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Stands beside what the role says."""
    model_alias: str
    prompt: str
    """What the role is sent when its turn comes. Jinja template over the columns and over the conversation: `last`,
    what was said last; `messages`, all of it (`name` and `content` of each); `turn`, counted from 1."""
    system_prompt: str | None = None
    """Jinja template over the same, rendered when the role first speaks."""
    speaks_as: Literal["user", "assistant"] | None = None
    """`role` of its messages in what is stored; unset, `user` for the first role and `assistant` for the others."""
    stop_word: str | None = Field(default=None, min_length=1)
    """Ends the conversation where the role says it; it is not stored."""

    @field_validator("prompt", "system_prompt")
    @classmethod
    def _parses(cls, template: str | None) -> str | None:
        return template if template is None else check_syntax(template)

    @property
    def templates(self) -> tuple[str, ...]:
        """Its prompts."""
        return tuple(filter(None, (self.prompt, self.system_prompt)))


OF_CONVERSATIONS = ("last", "messages", "turn")
"""Names that the templates of a conversation find beside the columns."""


class LLMConversationColumnConfig(SingleColumnConfig):
    """A column of conversations between roles that models play: lists of messages, as fine-tuning takes them."""

    column_type: Literal["llm-conversation"] = "llm-conversation"
    roles: list[ConversationRole] = Field(min_length=2)
    """They speak in this order, again and again."""
    max_turns: int = Field(default=6, ge=1, le=1000)
    """Messages of all roles together."""
    stop_when: str | None = None
    """Jinja template with braces, looked at after each turn: the conversation ends where its value is true."""
    system_message: str | None = None
    """Jinja template over the columns; stands first in what is stored."""
    with_names: bool = True
    """Whether what is stored says which role said what."""
    with_trace: TraceType = TraceType.NONE
    """Keep all that was sent and answered in `<name>__trace`."""

    @field_validator("stop_when", "system_message")
    @classmethod
    def _parses(cls, template: str | None) -> str | None:
        return template if template is None else check_syntax(template)

    @model_validator(mode="after")
    def _names_differ(self) -> "LLMConversationColumnConfig":
        names = [role.name for role in self.roles]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"column '{self.name}': there are two roles named '{name}'; rename one of them")
        return self

    @property
    def role_templates(self) -> tuple[str, ...]:
        """Prompts of all roles."""
        return tuple(template for role in self.roles for template in role.templates)

    @property
    def required_columns(self) -> list[str]:
        """Names in the templates, but for those of the conversation."""
        spoken = [*self.role_templates, *([self.stop_when] if self.stop_when else [])]
        found = frozenset[str]().union(*map(references, spoken)) - set(OF_CONVERSATIONS)
        return sorted(found | references(self.system_message or ""))

    @property
    def side_effect_columns(self) -> list[str]:
        """The trace, where it is kept."""
        return [f"{self.name}__trace"] if self.with_trace != TraceType.NONE else []

    def get_model_aliases(self) -> list[str]:
        """Those of the roles, each once, in their order."""
        return list(dict.fromkeys(role.model_alias for role in self.roles))

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "💬"


_DTYPES: dict[str, Callable[[str | float], str | float]] = {
    "int": lambda v: int(float(v)),
    "float": float,
    "str": str,
    "bool": bool,
}


class ExpressionColumnConfig(_NoSideEffects):
    """A column computed from others by a template."""

    column_type: Literal["expression"] = "expression"
    expr: str
    """Jinja template."""
    dtype: Literal["int", "float", "str", "bool"] = "str"

    @field_validator("expr")
    @classmethod
    def _parses(cls, expr: str) -> str:
        if not expr.strip():
            raise InvalidConfigError("the expression is blank")
        return check_syntax(expr)

    @model_validator(mode="after")
    def _skip_value_fits(self) -> "ExpressionColumnConfig":
        if self.skip is not None and self.skip.value is not None:
            try:
                value = _DTYPES[self.dtype](self.skip.value)
            except (TypeError, ValueError) as error:
                raise ValueError(f"skip.value {self.skip.value!r} cannot be converted to {self.dtype}") from error
            self.skip = self.skip.model_copy(update={"value": value})
        return self

    @property
    def required_columns(self) -> list[str]:
        """Names in the expression."""
        return sorted(references(self.expr))

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🧩"


class ValidationColumnConfig(_NoSideEffects):
    """A column of verdicts on others."""

    column_type: Literal["validation"] = "validation"
    target_columns: list[str]
    validator_type: ValidatorType
    validator_params: Annotated[
        CodeValidatorParams | LocalCallableValidatorParams | RemoteValidatorParams,
        Field(discriminator="validator_type"),
    ]
    batch_size: int = Field(default=10, ge=1)
    """Rows a call of the validator."""

    @model_validator(mode="before")
    @classmethod
    def _tell_kind(cls, data: object) -> object:
        return _with_type(data, "validator_type", "validator_params")

    @property
    def required_columns(self) -> list[str]:
        """The target columns."""
        return list(self.target_columns)

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🔍"


class SeedDatasetColumnConfig(_NoSideEffects):
    """A column of the seed dataset."""

    column_type: Literal["seed-dataset"] = "seed-dataset"

    @model_validator(mode="after")
    def _never_skipped(self) -> "SeedDatasetColumnConfig":
        _refuse_skip(self)
        return self

    @property
    def required_columns(self) -> list[str]:
        """None."""
        return []

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🌱"


class EmbeddingColumnConfig(_NoSideEffects):
    """A column of embeddings of another."""

    column_type: Literal["embedding"] = "embedding"
    target_column: str
    model_alias: str

    @property
    def required_columns(self) -> list[str]:
        """The target column."""
        return [self.target_column]

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🧬"


class ImageColumnConfig(_NoSideEffects):
    """A column of images that a model makes."""

    column_type: Literal["image"] = "image"
    prompt: str
    model_alias: str
    multi_modal_context: list[AnyContext] | None = None

    @field_validator("prompt")
    @classmethod
    def _parses(cls, prompt: str) -> str:
        return check_syntax(prompt)

    @property
    def required_columns(self) -> list[str]:
        """Names in the prompt, and columns of media."""
        return sorted(references(self.prompt) | {context.column_name for context in self.multi_modal_context or ()})

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🖼️"


class CustomColumnConfig(SingleColumnConfig):
    """A column that a function of the user makes."""

    column_type: Literal["custom"] = "custom"
    generator_function: Any
    """Decorated with `custom_column_generator`."""
    generation_strategy: GenerationStrategy = GenerationStrategy.CELL_BY_CELL
    generator_params: object = None
    """A pydantic object handed to the function."""

    @field_validator("generator_function")
    @classmethod
    def _is_decorated(cls, function: object) -> object:
        if not callable(function) or not hasattr(function, "custom_column_metadata"):
            raise ValueError("generator_function must be a function decorated with @custom_column_generator()")
        return function

    @field_validator("generator_params")
    @classmethod
    def _is_a_model(cls, params: object) -> object:
        if params is not None and not isinstance(params, BaseModel):
            raise ValueError(f"generator_params must be a pydantic object, not {type(params).__name__}")
        return params

    @field_serializer("generator_function")
    def _by_name(self, function: object) -> str:
        return getattr(function, "__name__", type(function).__name__)

    @field_serializer("generator_params")
    def _dumped(self, params: BaseModel | None) -> object:
        return None if params is None else params.model_dump(mode="json")

    def _metadata(self, key: str) -> list[str]:
        return list(self.generator_function.custom_column_metadata[key])

    @property
    def required_columns(self) -> list[str]:
        """As the decorator says."""
        return self._metadata("required_columns")

    @property
    def side_effect_columns(self) -> list[str]:
        """As the decorator says."""
        return self._metadata("side_effect_columns")

    @property
    def model_aliases(self) -> list[str]:
        """As the decorator says."""
        return self._metadata("model_aliases")

    def get_model_aliases(self) -> list[str]:
        """As the decorator says."""
        return self.model_aliases

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🔧"


def column_kind(value: object) -> Hashable:
    """What tells columns apart in files and unions."""
    # One that is missing is none of those that there are, which is said.
    kind: Hashable = value.get("column_type", "") if isinstance(value, dict) else getattr(value, "column_type", None)
    return kind


class BuiltInColumnType(StrEnum):
    """Kinds of columns."""

    SAMPLER = "sampler"
    LLM_TEXT = "llm-text"
    LLM_CODE = "llm-code"
    LLM_STRUCTURED = "llm-structured"
    LLM_JUDGE = "llm-judge"
    LLM_CONVERSATION = "llm-conversation"
    EXPRESSION = "expression"
    VALIDATION = "validation"
    SEED_DATASET = "seed-dataset"
    EMBEDDING = "embedding"
    IMAGE = "image"
    CUSTOM = "custom"


BuiltInColumnT = (
    SeedDatasetColumnConfig
    | SamplerColumnConfig
    | LLMTextColumnConfig
    | LLMCodeColumnConfig
    | LLMStructuredColumnConfig
    | LLMJudgeColumnConfig
    | LLMConversationColumnConfig
    | EmbeddingColumnConfig
    | ImageColumnConfig
    | ValidationColumnConfig
    | ExpressionColumnConfig
    | CustomColumnConfig
)
BUILT_IN_COLUMNS: tuple[type[SingleColumnConfig], ...] = get_args(BuiltInColumnT)
"""In the order in which reports show them."""
