"""Columns of images: not made by this version."""

from data_designer.columns.media import contexts_of
from data_designer.columns.prompts import prompt_violations
from data_designer.columns.unsupported import not_yet, refuse
from data_designer.config.column_configs import ImageColumnConfig
from data_designer.plan.kinds import ColumnKind

IMAGE = ColumnKind(
    config=ImageColumnConfig,
    build=refuse,
    check=not_yet,
    media=contexts_of,
    templates=("prompt",),
    lint=prompt_violations,
)
