"""Builds a step's program, once for each process that runs it."""

from typing import TYPE_CHECKING, Any, cast

from data_designer.columns.custom import CustomCellProgram, CustomColumnProgram
from data_designer.columns.expression import ExpressionProgram
from data_designer.columns.llm import ConversationLimits, LlmProgram
from data_designer.columns.plugin_columns import as_custom
from data_designer.columns.program import Program
from data_designer.columns.random_streams import key
from data_designer.columns.samplers.program import SamplersProgram
from data_designer.columns.seeds.program import SeedProgram
from data_designer.columns.validation import ValidationProgram
from data_designer.config.column_configs import (
    CustomColumnConfig,
    ExpressionColumnConfig,
    LLMTextColumnConfig,
    SamplerColumnConfig,
    ValidationColumnConfig,
)
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import ConfigCompilationError
from data_designer.plan.columns import producers
from data_designer.plan.model import Plan, Step

if TYPE_CHECKING:
    import pyarrow as pa


def build(step: Step, plan: Plan, seed_table: "pa.Table | None" = None) -> Program:
    """Build the program of a step.

    Args:
        step: one of the plan's steps.
        plan: the plan.
        seed_table: the selected rows of the seed dataset; needed by the `seed` step only.

    Raises:
        ConfigCompilationError: no program is known for the step's kind.
    """
    engine = JinjaRenderingEngine(plan.run.jinja_rendering_engine)
    known = producers(plan.config.columns)
    config: Any = step.configs[0]
    match step.kind:
        case "seed":
            return _seed(step, plan, seed_table)
        case "samplers":
            samplers = [cast(SamplerColumnConfig, c) for c in step.configs]
            return SamplersProgram(samplers, plan.config.constraints or [], plan.seed)
        case "llm-text" | "llm-code" | "llm-structured" | "llm-judge":
            limits = ConversationLimits(plan.run.max_conversation_restarts, plan.run.max_conversation_correction_steps)
            native = plan.pools[step.pool].native
            return LlmProgram(cast(LLMTextColumnConfig, config), limits, engine, known, step.makes, native)
        case "expression":
            return ExpressionProgram(cast(ExpressionColumnConfig, config), engine, known, key(plan.seed, step.name))
        case "validation":
            return ValidationProgram(cast(ValidationColumnConfig, config))
        case "custom":
            custom = config if isinstance(config, CustomColumnConfig) else as_custom(config)
            whole = custom.generation_strategy == "full_column"
            return CustomColumnProgram(custom, step.makes) if whole else CustomCellProgram(custom, step.makes)
        case _:
            raise ConfigCompilationError(f"column '{step.name}': '{step.kind}' columns cannot be generated")


def _seed(step: Step, plan: Plan, table: "pa.Table | None") -> SeedProgram:
    seed = plan.config.seed_config
    if seed is None or table is None:
        raise ConfigCompilationError("there are seed columns, but no seed dataset to take them from")
    return SeedProgram(step.makes, seed.sampling_strategy, plan.seed, table)
