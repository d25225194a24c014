"""The declaration API: `import data_designer.config as dd`. Names are imported when they are first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_designer.config.analysis.column_profilers import (
        JudgeScoreProfilerConfig as JudgeScoreProfilerConfig,
    )
    from data_designer.config.base import (
        SkipConfig as SkipConfig,
    )
    from data_designer.config.column_configs import (
        CustomColumnConfig as CustomColumnConfig,
    )
    from data_designer.config.column_configs import (
        EmbeddingColumnConfig as EmbeddingColumnConfig,
    )
    from data_designer.config.column_configs import (
        ExpressionColumnConfig as ExpressionColumnConfig,
    )
    from data_designer.config.column_configs import (
        GenerationStrategy as GenerationStrategy,
    )
    from data_designer.config.column_configs import (
        ImageColumnConfig as ImageColumnConfig,
    )
    from data_designer.config.column_configs import (
        LLMCodeColumnConfig as LLMCodeColumnConfig,
    )
    from data_designer.config.column_configs import (
        LLMJudgeColumnConfig as LLMJudgeColumnConfig,
    )
    from data_designer.config.column_configs import (
        LLMStructuredColumnConfig as LLMStructuredColumnConfig,
    )
    from data_designer.config.column_configs import (
        LLMTextColumnConfig as LLMTextColumnConfig,
    )
    from data_designer.config.column_configs import (
        SamplerColumnConfig as SamplerColumnConfig,
    )
    from data_designer.config.column_configs import (
        Score as Score,
    )
    from data_designer.config.column_configs import (
        SeedDatasetColumnConfig as SeedDatasetColumnConfig,
    )
    from data_designer.config.column_configs import (
        ValidationColumnConfig as ValidationColumnConfig,
    )
    from data_designer.config.column_types import (
        DataDesignerColumnType as DataDesignerColumnType,
    )
    from data_designer.config.config_builder import (
        DataDesignerConfigBuilder as DataDesignerConfigBuilder,
    )
    from data_designer.config.custom_column import (
        custom_column_generator as custom_column_generator,
    )
    from data_designer.config.data_designer_config import (
        DataDesignerConfig as DataDesignerConfig,
    )
    from data_designer.config.mcp import (
        LocalStdioMCPProvider as LocalStdioMCPProvider,
    )
    from data_designer.config.mcp import (
        MCPProvider as MCPProvider,
    )
    from data_designer.config.mcp import (
        ToolConfig as ToolConfig,
    )
    from data_designer.config.media import (
        AudioContext as AudioContext,
    )
    from data_designer.config.media import (
        ImageContext as ImageContext,
    )
    from data_designer.config.media import (
        Modality as Modality,
    )
    from data_designer.config.media import (
        ModalityContext as ModalityContext,
    )
    from data_designer.config.media import (
        ModalityDataType as ModalityDataType,
    )
    from data_designer.config.media import (
        VideoContext as VideoContext,
    )
    from data_designer.config.models import (
        ChatCompletionInferenceParams as ChatCompletionInferenceParams,
    )
    from data_designer.config.models import (
        EmbeddingInferenceParams as EmbeddingInferenceParams,
    )
    from data_designer.config.models import (
        GenerationType as GenerationType,
    )
    from data_designer.config.models import (
        ImageInferenceParams as ImageInferenceParams,
    )
    from data_designer.config.models import (
        ManualDistribution as ManualDistribution,
    )
    from data_designer.config.models import (
        ManualDistributionParams as ManualDistributionParams,
    )
    from data_designer.config.models import (
        ModelConfig as ModelConfig,
    )
    from data_designer.config.models import (
        ModelProvider as ModelProvider,
    )
    from data_designer.config.models import (
        Price as Price,
    )
    from data_designer.config.models import (
        UniformDistribution as UniformDistribution,
    )
    from data_designer.config.models import (
        UniformDistributionParams as UniformDistributionParams,
    )
    from data_designer.config.processors import (
        DropColumnsProcessorConfig as DropColumnsProcessorConfig,
    )
    from data_designer.config.processors import (
        ProcessorType as ProcessorType,
    )
    from data_designer.config.processors import (
        SchemaTransformProcessorConfig as SchemaTransformProcessorConfig,
    )
    from data_designer.config.run_config import (
        Budget as Budget,
    )
    from data_designer.config.run_config import (
        JinjaRenderingEngine as JinjaRenderingEngine,
    )
    from data_designer.config.run_config import (
        RequestAdmissionTuningConfig as RequestAdmissionTuningConfig,
    )
    from data_designer.config.run_config import (
        ResumeMode as ResumeMode,
    )
    from data_designer.config.run_config import (
        RunConfig as RunConfig,
    )
    from data_designer.config.run_config import (
        ThrottleConfig as ThrottleConfig,
    )
    from data_designer.config.sampler_constraints import (
        ColumnInequalityConstraint as ColumnInequalityConstraint,
    )
    from data_designer.config.sampler_constraints import (
        ConstraintType as ConstraintType,
    )
    from data_designer.config.sampler_constraints import (
        InequalityOperator as InequalityOperator,
    )
    from data_designer.config.sampler_constraints import (
        ScalarInequalityConstraint as ScalarInequalityConstraint,
    )
    from data_designer.config.sampler_params import (
        BernoulliMixtureSamplerParams as BernoulliMixtureSamplerParams,
    )
    from data_designer.config.sampler_params import (
        BernoulliSamplerParams as BernoulliSamplerParams,
    )
    from data_designer.config.sampler_params import (
        BinomialSamplerParams as BinomialSamplerParams,
    )
    from data_designer.config.sampler_params import (
        CategorySamplerParams as CategorySamplerParams,
    )
    from data_designer.config.sampler_params import (
        DatetimeSamplerParams as DatetimeSamplerParams,
    )
    from data_designer.config.sampler_params import (
        GaussianSamplerParams as GaussianSamplerParams,
    )
    from data_designer.config.sampler_params import (
        PersonFromFakerSamplerParams as PersonFromFakerSamplerParams,
    )
    from data_designer.config.sampler_params import (
        PersonSamplerParams as PersonSamplerParams,
    )
    from data_designer.config.sampler_params import (
        PoissonSamplerParams as PoissonSamplerParams,
    )
    from data_designer.config.sampler_params import (
        SamplerType as SamplerType,
    )
    from data_designer.config.sampler_params import (
        ScipySamplerParams as ScipySamplerParams,
    )
    from data_designer.config.sampler_params import (
        SubcategorySamplerParams as SubcategorySamplerParams,
    )
    from data_designer.config.sampler_params import (
        TimeDeltaSamplerParams as TimeDeltaSamplerParams,
    )
    from data_designer.config.sampler_params import (
        UniformSamplerParams as UniformSamplerParams,
    )
    from data_designer.config.sampler_params import (
        UUIDSamplerParams as UUIDSamplerParams,
    )
    from data_designer.config.scheduling import (
        SchedulingMetadata as SchedulingMetadata,
    )
    from data_designer.config.scheduling import (
        SchedulingMetadataError as SchedulingMetadataError,
    )
    from data_designer.config.script_params import (
        DataDesignerScriptParams as DataDesignerScriptParams,
    )
    from data_designer.config.seed import (
        IndexRange as IndexRange,
    )
    from data_designer.config.seed import (
        PartitionBlock as PartitionBlock,
    )
    from data_designer.config.seed import (
        SamplingStrategy as SamplingStrategy,
    )
    from data_designer.config.seed import (
        SeedConfig as SeedConfig,
    )
    from data_designer.config.seed_source import (
        AgentRolloutFormat as AgentRolloutFormat,
    )
    from data_designer.config.seed_source import (
        AgentRolloutSeedSource as AgentRolloutSeedSource,
    )
    from data_designer.config.seed_source import (
        DirectorySeedSource as DirectorySeedSource,
    )
    from data_designer.config.seed_source import (
        FileContentsSeedSource as FileContentsSeedSource,
    )
    from data_designer.config.seed_source import (
        HuggingFaceSeedSource as HuggingFaceSeedSource,
    )
    from data_designer.config.seed_source import (
        LocalFileSeedSource as LocalFileSeedSource,
    )
    from data_designer.config.seed_source import (
        ReadOptions as ReadOptions,
    )
    from data_designer.config.seed_source_dataframe import (
        DataFrameSeedSource as DataFrameSeedSource,
    )
    from data_designer.config.utils.code_lang import (
        CodeLang as CodeLang,
    )
    from data_designer.config.utils.info import (
        InfoType as InfoType,
    )
    from data_designer.config.utils.media_helpers import (
        AudioFormat as AudioFormat,
    )
    from data_designer.config.utils.media_helpers import (
        ImageFormat as ImageFormat,
    )
    from data_designer.config.utils.media_helpers import (
        VideoFormat as VideoFormat,
    )
    from data_designer.config.utils.trace_type import (
        TraceType as TraceType,
    )
    from data_designer.config.validator_params import (
        CodeValidatorParams as CodeValidatorParams,
    )
    from data_designer.config.validator_params import (
        LocalCallableValidatorParams as LocalCallableValidatorParams,
    )
    from data_designer.config.validator_params import (
        RemoteValidatorParams as RemoteValidatorParams,
    )
    from data_designer.config.validator_params import (
        ValidatorType as ValidatorType,
    )
    from data_designer.config.version import (
        get_library_version as get_library_version,
    )

_HOMES = {
    "AgentRolloutFormat": "seed_source",
    "AgentRolloutSeedSource": "seed_source",
    "AudioContext": "media",
    "AudioFormat": "utils.media_helpers",
    "BernoulliMixtureSamplerParams": "sampler_params",
    "BernoulliSamplerParams": "sampler_params",
    "BinomialSamplerParams": "sampler_params",
    "CategorySamplerParams": "sampler_params",
    "ChatCompletionInferenceParams": "models",
    "CodeLang": "utils.code_lang",
    "CodeValidatorParams": "validator_params",
    "ColumnInequalityConstraint": "sampler_constraints",
    "ConstraintType": "sampler_constraints",
    "CustomColumnConfig": "column_configs",
    "DataDesignerColumnType": "column_types",
    "DataDesignerConfig": "data_designer_config",
    "DataDesignerConfigBuilder": "config_builder",
    "DataDesignerScriptParams": "script_params",
    "DataFrameSeedSource": "seed_source_dataframe",
    "DatetimeSamplerParams": "sampler_params",
    "DirectorySeedSource": "seed_source",
    "DropColumnsProcessorConfig": "processors",
    "EmbeddingColumnConfig": "column_configs",
    "EmbeddingInferenceParams": "models",
    "ExpressionColumnConfig": "column_configs",
    "FileContentsSeedSource": "seed_source",
    "GaussianSamplerParams": "sampler_params",
    "GenerationStrategy": "column_configs",
    "GenerationType": "models",
    "HuggingFaceSeedSource": "seed_source",
    "ImageColumnConfig": "column_configs",
    "ImageContext": "media",
    "ImageFormat": "utils.media_helpers",
    "ImageInferenceParams": "models",
    "IndexRange": "seed",
    "InequalityOperator": "sampler_constraints",
    "InfoType": "utils.info",
    "JinjaRenderingEngine": "run_config",
    "JudgeScoreProfilerConfig": "analysis.column_profilers",
    "LLMCodeColumnConfig": "column_configs",
    "LLMJudgeColumnConfig": "column_configs",
    "LLMStructuredColumnConfig": "column_configs",
    "LLMTextColumnConfig": "column_configs",
    "LocalCallableValidatorParams": "validator_params",
    "LocalFileSeedSource": "seed_source",
    "LocalStdioMCPProvider": "mcp",
    "MCPProvider": "mcp",
    "ManualDistribution": "models",
    "ManualDistributionParams": "models",
    "Modality": "media",
    "ModalityContext": "media",
    "ModalityDataType": "media",
    "ModelConfig": "models",
    "ModelProvider": "models",
    "Price": "models",
    "PartitionBlock": "seed",
    "PersonFromFakerSamplerParams": "sampler_params",
    "PersonSamplerParams": "sampler_params",
    "PoissonSamplerParams": "sampler_params",
    "ProcessorType": "processors",
    "ReadOptions": "seed_source",
    "RemoteValidatorParams": "validator_params",
    "RequestAdmissionTuningConfig": "run_config",
    "ResumeMode": "run_config",
    "Budget": "run_config",
    "RunConfig": "run_config",
    "SamplerColumnConfig": "column_configs",
    "SamplerType": "sampler_params",
    "SamplingStrategy": "seed",
    "ScalarInequalityConstraint": "sampler_constraints",
    "SchedulingMetadata": "scheduling",
    "SchedulingMetadataError": "scheduling",
    "SchemaTransformProcessorConfig": "processors",
    "ScipySamplerParams": "sampler_params",
    "Score": "column_configs",
    "SeedConfig": "seed",
    "SeedDatasetColumnConfig": "column_configs",
    "SkipConfig": "base",
    "SubcategorySamplerParams": "sampler_params",
    "ThrottleConfig": "run_config",
    "TimeDeltaSamplerParams": "sampler_params",
    "ToolConfig": "mcp",
    "TraceType": "utils.trace_type",
    "UUIDSamplerParams": "sampler_params",
    "UniformDistribution": "models",
    "UniformDistributionParams": "models",
    "UniformSamplerParams": "sampler_params",
    "ValidationColumnConfig": "column_configs",
    "ValidatorType": "validator_params",
    "VideoContext": "media",
    "VideoFormat": "utils.media_helpers",
    "custom_column_generator": "custom_column",
    "get_library_version": "version",
}
"""Public name to the module of this package that defines it."""

__all__ = [
    "AgentRolloutFormat",
    "AgentRolloutSeedSource",
    "AudioContext",
    "AudioFormat",
    "BernoulliMixtureSamplerParams",
    "BernoulliSamplerParams",
    "BinomialSamplerParams",
    "Budget",
    "CategorySamplerParams",
    "ChatCompletionInferenceParams",
    "CodeLang",
    "CodeValidatorParams",
    "ColumnInequalityConstraint",
    "ConstraintType",
    "CustomColumnConfig",
    "DataDesignerColumnType",
    "DataDesignerConfig",
    "DataDesignerConfigBuilder",
    "DataDesignerScriptParams",
    "DataFrameSeedSource",
    "DatetimeSamplerParams",
    "DirectorySeedSource",
    "DropColumnsProcessorConfig",
    "EmbeddingColumnConfig",
    "EmbeddingInferenceParams",
    "ExpressionColumnConfig",
    "FileContentsSeedSource",
    "GaussianSamplerParams",
    "GenerationStrategy",
    "GenerationType",
    "HuggingFaceSeedSource",
    "ImageColumnConfig",
    "ImageContext",
    "ImageFormat",
    "ImageInferenceParams",
    "IndexRange",
    "InequalityOperator",
    "InfoType",
    "JinjaRenderingEngine",
    "JudgeScoreProfilerConfig",
    "LLMCodeColumnConfig",
    "LLMJudgeColumnConfig",
    "LLMStructuredColumnConfig",
    "LLMTextColumnConfig",
    "LocalCallableValidatorParams",
    "LocalFileSeedSource",
    "LocalStdioMCPProvider",
    "MCPProvider",
    "ManualDistribution",
    "ManualDistributionParams",
    "Modality",
    "ModalityContext",
    "ModalityDataType",
    "ModelConfig",
    "ModelProvider",
    "PartitionBlock",
    "PersonFromFakerSamplerParams",
    "PersonSamplerParams",
    "PoissonSamplerParams",
    "Price",
    "ProcessorType",
    "ReadOptions",
    "RemoteValidatorParams",
    "RequestAdmissionTuningConfig",
    "ResumeMode",
    "RunConfig",
    "SamplerColumnConfig",
    "SamplerType",
    "SamplingStrategy",
    "ScalarInequalityConstraint",
    "SchedulingMetadata",
    "SchedulingMetadataError",
    "SchemaTransformProcessorConfig",
    "ScipySamplerParams",
    "Score",
    "SeedConfig",
    "SeedDatasetColumnConfig",
    "SkipConfig",
    "SubcategorySamplerParams",
    "ThrottleConfig",
    "TimeDeltaSamplerParams",
    "ToolConfig",
    "TraceType",
    "UUIDSamplerParams",
    "UniformDistribution",
    "UniformDistributionParams",
    "UniformSamplerParams",
    "ValidationColumnConfig",
    "ValidatorType",
    "VideoContext",
    "VideoFormat",
    "custom_column_generator",
    "get_library_version",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(_HOMES)
