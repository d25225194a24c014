"""Columns of the seed dataset: made together, a row of it for each record."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data_designer.config.analysis.column_statistics import SeedDatasetColumnStatistics
from data_designer.config.column_configs import SeedDatasetColumnConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.errors import ConfigCompilationError
from data_designer.plan.fingerprints import digest
from data_designer.plan.kinds import ColumnKind, Joint, Statistics
from data_designer.plan.model import Plan, Step
from data_designer.plan.profile import Profile

if TYPE_CHECKING:
    import pyarrow as pa

    from data_designer.columns.seeds.program import SeedProgram

_STEP = "seed"


def _build(step: Step, plan: Plan, seed_table: "pa.Table | None") -> "SeedProgram":
    from data_designer.columns.seeds.program import SeedProgram

    seed = plan.config.seed_config
    if seed is None or seed_table is None:
        raise ConfigCompilationError("there are seed columns, but no seed dataset to take them from")
    return SeedProgram(step.makes, seed.sampling_strategy, plan.seed, seed_table)


def _digests(
    columns: Sequence[SeedDatasetColumnConfig], config: DataDesignerConfig, seed: int, seed_data: str
) -> dict[str, str]:
    strategy = {} if config.seed_config is None else config.seed_config.model_dump(mode="json", exclude={"source"})
    return {column.name: digest([_STEP, column.name, strategy, seed_data, seed]) for column in columns}


def _statistics(column: SeedDatasetColumnConfig, _: Profile) -> Statistics:
    return SeedDatasetColumnStatistics, {"column_type": column.column_type}


SEED_DATASET = ColumnKind(
    config=SeedDatasetColumnConfig,
    build=_build,
    joint=Joint(_STEP, _digests),
    from_seed=True,
    statistics=_statistics,
    group="seed",
)
