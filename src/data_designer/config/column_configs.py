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
    """How the function of a custom column is called."""

    CELL_BY_CELL = "cell_by_cell"
    """Once for each record, with the record as a dict."""
    FULL_COLUMN = "full_column"
    """Once for each batch (`RunConfig.buffer_size` records), with its records as a DataFrame."""


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
    """A column whose values are drawn by a distribution, a list, a calendar or a maker of people.

    Samplers come first: they need no model, and may depend on each other only (`subcategory`, `timedelta`,
    `conditional_params`, constraints). The same seed draws the same values for the same record, whatever else is in the
    configuration.

    A cell is a number, a text, or for people an object; which, the parameters of each sampler say.
    """

    column_type: Literal["sampler"] = "sampler"
    sampler_type: SamplerType
    """Which sampler draws."""
    params: SamplerParams
    """What it draws; the class or the keys belong to `sampler_type`. `{}` where all have defaults."""
    conditional_params: dict[str, SamplerParams] = Field(default_factory=dict)
    """Condition to the parameters that are in force where it holds. A condition is a Jinja expression without braces
    over other sampler columns, such as `age > 21 and plan == 'pro'`, and has to be exactly true; of several that
    hold the last one counts, of none `params`."""
    convert_to: str | None = None
    """What values become: `int` (rounded), `float` or `str` for numbers and listed values; a strftime pattern such
    as `%Y-%m` for `datetime` and `timedelta`, which else give `2024-01-31T12:00:00`. It means nothing for `uuid`
    and people."""

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
    """A column of text that a model writes.

    A reply that is empty or refused is corrected and asked for again as often as `RunConfig` says
    (`max_conversation_correction_steps`, `max_conversation_restarts`); then the record is rejected. Text that is cut
    off at `max_tokens` is kept as it is.

    A cell is the text of the reply, without space around it.
    """

    column_type: Literal["llm-text"] = "llm-text"
    prompt: str
    """What the model is asked, as a Jinja template over the other columns. It may be empty only where media are
    shown. A record for which it renders to nothing is rejected before anything is asked."""
    model_alias: str
    """Alias of the `ModelConfig` that is asked."""
    system_prompt: str | None = None
    """What the model is told before; a Jinja template. No system message is sent where it is unset, or renders to
    nothing."""
    multi_modal_context: list[AnyContext] | None = None
    """Columns of images, recordings or films that the model is shown before the text of the prompt."""
    tool_alias: str | None = None
    """Alias of a `ToolConfig` whose tools the model may call before it answers."""
    with_trace: TraceType = TraceType.NONE
    """Which messages of the conversation are kept in a further column, `<name>__trace`."""
    extract_reasoning_content: bool = False
    """Keep what the model thought, as far as the endpoint gives it, in a further column,
    `<name>__reasoning_content`; null where there is none."""

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
    """A column of code that a model writes.

    The prompt is followed by the request for one code fence in the language. A reply without one, with a fence of
    another language, or cut off inside it is corrected and asked for again, as in `llm-text`.

    A cell is the code in the last fence, without the fence.
    """

    column_type: Literal["llm-code"] = "llm-code"  # type: ignore[assignment]
    code_lang: CodeLang
    """Language that is asked for, and that the fence has to name if it names any; of a SQL dialect (`sql:postgres`)
    the model is asked for `sql`."""

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
    """A column of JSON that a model writes to a schema.

    The schema follows the prompt, or goes to the endpoint where the model's `structured_output` says so. JSON that is
    nearly right (a comma or a bracket is missing) is mended; what does not fit is corrected and asked for again, as in
    `llm-text`. Properties that the schema does not declare are taken away, unless it sets `additionalProperties`.

    A cell is what the schema describes, mostly an object; templates reach into it, `{{ order.price }}`. In Parquet it
    is a struct where its values have a type in common, else JSON text; `load_dataset()` gives dicts and lists either
    way.
    """

    column_type: Literal["llm-structured"] = "llm-structured"  # type: ignore[assignment]
    output_format: dict[str, Any]
    """JSON schema of the answer (draft 2020-12) as a dict, or a pydantic class, which is turned into its schema; in
    a file the schema. References to other documents are not followed."""

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
    """One thing that a judge scores."""

    name: str
    """Name of the score: the key in the cell, and what the model is shown."""
    description: str
    """What is judged, in words for the model."""
    options: dict[int | str, str]
    """Each score that may be given to what it means, such as `{1: "poor", 2: "good"}`. The model has to choose one
    of them; `"1"` and `1` are taken for each other where only one of them is there."""

    @field_validator("options")
    @classmethod
    def _has_some(cls, options: dict[int | str, str]) -> dict[int | str, str]:
        if not options:
            raise ValueError("a score needs options to choose from")
        return options


class LLMJudgeColumnConfig(LLMTextColumnConfig):
    """A column of scores that a model gives, each with its reason.

    A reply in which a score is missing, or is none of its options, is corrected and asked for again, as in `llm-text`.

    A cell is an object, `{score: {"reasoning": text, "score": option}}`, so `{{ quality.clarity.score }}` in a
    template.
    """

    column_type: Literal["llm-judge"] = "llm-judge"  # type: ignore[assignment]
    scores: list[Score] = Field(min_length=1)
    """What is judged; the model scores all of them in one reply."""

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "⚖️"


class ConversationRole(ConfigBase):
    """One who speaks in a conversation.

    A model plays the role, in a thread of its own: it remembers what it was sent and what it said, and learns from its
    prompts what the others said. Templates see the columns of the record, and of the conversation: `last`, what was
    said last, by whomever (empty at first); `messages`, all that was said (`name` and `content` of each); `turn`,
    counted from 1.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Letters, digits, `_` and `-`; stands beside what the role says. Unique in a column."""
    model_alias: str
    """Alias of the `ModelConfig` that plays the role; several roles may share one."""
    prompt: str
    """What the role is sent at each of its turns; a Jinja template."""
    system_prompt: str | None = None
    """What its thread begins with; a Jinja template, rendered when the role first speaks."""
    speaks_as: Literal["user", "assistant"] | None = None
    """The `role` of its messages in what is stored; unset, `user` for the first role and `assistant` for the others."""
    stop_word: str | None = Field(default=None, min_length=1)
    """A text that ends the conversation where the role says it; it is cut out of what is stored."""

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
    """A column of conversations between roles that models play, as fine-tuning takes them.

    The roles speak one after the other, again and again, until `max_turns` messages are there, a role says its
    `stop_word` or `stop_when` holds. A reply that is empty, refused or all reasoning is corrected and asked for again,
    as others are; then the record is rejected.

    A cell is a list of messages: `[{"role": "user", "name": "pupil", "content": text}, ...]`.
    """

    column_type: Literal["llm-conversation"] = "llm-conversation"
    roles: list[ConversationRole] = Field(min_length=2)
    """Who speaks, in this order; names differ."""
    max_turns: int = Field(default=6, ge=1, le=1000)
    """Messages of all roles together at which the conversation ends."""
    stop_when: str | None = None
    """Jinja template with braces over the columns, `last`, `messages` and `turn`; looked at after each turn, it ends
    the conversation where its value is true."""
    system_message: str | None = None
    """A first message, of `role` system, of what is stored; a Jinja template over the columns. No role need have
    been told it."""
    with_names: bool = True
    """Whether each stored message says by `name` which role said it."""
    with_trace: TraceType = TraceType.NONE
    """What is kept in a further column, `<name>__trace`: everything that was sent and answered, or the last reply."""

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
    """A column that is computed from others by a template; no model is asked.

    A cell is what the template renders to, converted to `dtype`. A record for which it renders to nothing, or to what
    is no value of that type, is rejected.
    """

    column_type: Literal["expression"] = "expression"
    expr: str
    """Jinja template over the other columns, such as `{{ price * 1.2 }}`; not blank."""
    dtype: Literal["int", "float", "str", "bool"] = "str"
    """What the text is converted to. `int` cuts a fraction off (`3.7` is 3) and holds 64 bits; `float` is a double;
    `bool` is true for the word `true` in any case and for numbers whose whole part is not 0, and false for
    anything else."""

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
    """A column of verdicts on other columns: by a linter, by a function of yours, or by a service.

    A verdict rejects no record: filter by it later, or skip what is made from what is not valid. A cell is an object
    with `is_valid` (true, false, or null where there is no verdict) and what else the validator says; [the
    validators](validators.md) tell what.
    """

    column_type: Literal["validation"] = "validation"
    target_columns: list[str]
    """Columns that are judged; a function and a service are given these only."""
    validator_type: ValidatorType
    """Who judges."""
    validator_params: Annotated[
        CodeValidatorParams | LocalCallableValidatorParams | RemoteValidatorParams,
        Field(discriminator="validator_type"),
    ]
    """How; the class or the keys belong to `validator_type`."""
    batch_size: int = Field(default=10, ge=1)
    """Records that a function is given in one call, or a service in one request. The last call of a batch has what
    is left."""

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
    """A column of the seed dataset.

    Every column of the seed becomes one by itself; declare one only to drop it (`drop=True`).

    A cell is the value of the seed's row, in the type that it has there.
    """

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
    """A column of vectors that an embedding model gives the texts of another column.

    A cell is an object, `{"embeddings": [[...], ...], "num_embeddings": n, "dimension": d}`: one vector for a text, one
    an item for a list, in its order. A null target, or a list with a null in it, rejects the record. In Parquet vectors
    are lists of 32-bit floats.
    """

    column_type: Literal["embedding"] = "embedding"
    target_column: str
    """The column whose texts are embedded."""
    model_alias: str
    """Alias of a `ModelConfig` with `EmbeddingInferenceParams`."""

    @property
    def required_columns(self) -> list[str]:
        """The target column."""
        return [self.target_column]

    @staticmethod
    def get_column_emoji() -> str:
        """A symbol for tables and reports."""
        return "🧬"


class ImageColumnConfig(_NoSideEffects):
    """A column of images that a model makes.

    A cell is a list, also of one image: in a dataset paths below its folder, `images/<column>/<record>-<n>.<ending>`;
    in a preview the images in base64. A reply without an image that can be decoded is asked for again
    `max_conversation_restarts` times; then the record is rejected.
    """

    column_type: Literal["image"] = "image"
    prompt: str
    """What to show; a Jinja template over the other columns. A record for which it renders to nothing is rejected."""
    model_alias: str
    """Alias of a `ModelConfig` with `ImageInferenceParams`. Its model's name decides the route: names that hold
    `dall-e-`, `stable-diffusion`, `gpt-image-` and the like ask `/images/generations`, others
    `/chat/completions`."""
    multi_modal_context: list[AnyContext] | None = None
    """Columns of images that the model is shown before the prompt. Only `/chat/completions` takes them;
    `/images/generations` is asked without."""

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
    """A column that a function of yours makes. It cannot stand in a YAML or JSON file: declare it in Python.

    The function returns what it was given, with the column and its `side_effect_columns` added. What else it adds is
    left out with a warning; a function that raises, returns something else, or forgets its column rejects the record
    (of a `full_column` all records of the batch).

    A cell is whatever the function puts there: numbers, texts, lists, dicts.
    """

    column_type: Literal["custom"] = "custom"
    generator_function: Any
    """A function that is decorated with `custom_column_generator`: of one to three parameters, `row` (or `df`),
    `generator_params` and `models`; `async def` too."""
    generation_strategy: GenerationStrategy = GenerationStrategy.CELL_BY_CELL
    """Whether it is called with a record or with a batch."""
    generator_params: object = None
    """A pydantic object, handed to the function as its second argument."""

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
