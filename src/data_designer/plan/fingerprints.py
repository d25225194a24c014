"""Digests that tell whether a column of one run has the values it would have in another."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from data_designer.config.base import SingleColumnConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.mcp import ToolConfig
from data_designer.config.models import HOW_IT_IS_ASKED, ModelConfig
from data_designer.config.validator_params import HOW_A_SERVICE_IS_ASKED, ValidatorType
from data_designer.plan.columns import tools_of
from data_designer.plan.kinds import Kinds
from data_designer.plan.model import Step
from data_designer.plan.user_code import UserCode, user_code

_LENGTH = 16
"""Hexadecimal digits; 64 bits, since a dataset has some dozens of columns."""

_NO_MATTER = {"drop"}
"""Fields of a column that do not change its values."""


def column_fingerprints(
    config: DataDesignerConfig,
    steps: Sequence[Step],
    kinds: Kinds,
    code: Mapping[str, UserCode],
    seed: int,
    seed_data: str,
) -> dict[str, str]:
    """Column to a digest of all that decides its values, that of the columns it is made from included.

    Two columns with the same digest have the same value in the record of the same index, except for what models
    and functions of the user answer. Not included: how a run is executed, where models are served, and with which key.

    Args:
        config: the configuration with seed columns resolved.
        steps: its steps, each after those it needs.
        kinds: those of its columns.
        code: column to what the functions of the user do that it calls, for those that call any.
        seed: key of the random streams.
        seed_data: a digest of the seed dataset's rows.
    """
    models = {model.alias: _model(model) for model in config.model_configs or ()}
    found: dict[str, str] = {}
    for step in steps:
        joint = kinds[step.kind].joint
        if joint is not None:
            found.update(joint.digests(step.configs, config, seed, seed_data))
        else:
            [column] = step.configs
            upstream = [found[name] for name in step.needs]
            asked = [models.get(alias) for alias in column.get_model_aliases()]
            parts = code[column.name].parts if column.name in code else {}
            called = [_tools(tool) for tool in tools_of(column, config, kinds)]
            made = digest([declared(column), parts, upstream, asked, *called])
            found.update(dict.fromkeys(step.makes, made))
    return found


def digest(content: object) -> str:
    """A short digest of JSON data."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:_LENGTH]


def code_of(column: SingleColumnConfig, kinds: Kinds) -> UserCode:
    """What the functions of the user do that a column calls; nothing where it calls none."""
    kind = kinds[column.column_type]
    functions = kind.functions(column)
    return user_code({**functions, **kind.classes(column)} if functions else {})


def declared(column: SingleColumnConfig) -> dict[str, object]:
    """What a column declares that decides its values."""
    found: dict[str, object] = column.model_dump(mode="json", exclude=_NO_MATTER)
    match found.get("validator_params"):
        case {"validator_type": ValidatorType.REMOTE, **params}:
            found["validator_params"] = {k: v for k, v in params.items() if k not in HOW_A_SERVICE_IS_ASKED}
    return found


def _tools(tool: ToolConfig) -> dict[str, object]:
    return tool.model_dump(mode="json", exclude={"tool_alias", "timeout_sec"})


def _model(model: ModelConfig) -> dict[str, object]:
    params = model.inference_parameters.model_dump(mode="json", exclude=set(HOW_IT_IS_ASKED))
    return {"model": model.model, "provider": model.provider, "inference_parameters": params}
