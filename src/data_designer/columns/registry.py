"""All kinds of columns, in the order in which reports show them; those of installed plugins come last."""

from typing import Any

from data_designer.columns.custom import CUSTOM
from data_designer.columns.embedding import EMBEDDING
from data_designer.columns.expression import EXPRESSION
from data_designer.columns.image import IMAGE
from data_designer.columns.llm_code import LLM_CODE
from data_designer.columns.llm_conversation import LLM_CONVERSATION
from data_designer.columns.llm_json import LLM_JUDGE, LLM_STRUCTURED
from data_designer.columns.llm_text import LLM_TEXT
from data_designer.columns.plugin_columns import plugin_kinds
from data_designer.columns.sampler import SAMPLER
from data_designer.columns.seed_dataset import SEED_DATASET
from data_designer.columns.validation import VALIDATION
from data_designer.plan.kinds import ColumnKind, Kinds

_KINDS: tuple[ColumnKind[Any], ...] = (
    SEED_DATASET,
    SAMPLER,
    LLM_TEXT,
    LLM_CODE,
    LLM_STRUCTURED,
    LLM_JUDGE,
    LLM_CONVERSATION,
    EMBEDDING,
    IMAGE,
    VALIDATION,
    EXPRESSION,
    CUSTOM,
    *plugin_kinds(),
)

KINDS: Kinds = {kind.name: kind for kind in _KINDS}
"""Column type to its kind."""
