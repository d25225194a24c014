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
        EmbeddingColumnConfig as EmbeddingColumnConfig,
        ExpressionColumnConfig as ExpressionColumnConfig,
        GenerationStrategy as GenerationStrategy,
        ImageColumnConfig as ImageColumnConfig,
        LLMCodeColumnConfig as LLMCodeColumnConfig,
        LLMJudgeColumnConfig as LLMJudgeColumnConfig,
        LLMStructuredColumnConfig as LLMStructuredColumnConfig,
        LLMTextColumnConfig as LLMTextColumnConfig,
        SamplerColumnConfig as SamplerColumnConfig,
        Score as Score,
        SeedDatasetColumnConfig as SeedDatasetColumnConfig,
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
        MCPProvider as MCPProvider,
        ToolConfig as ToolConfig,
    )
    from data_designer.config.media import (
        AudioContext as AudioContext,
        ImageContext as ImageContext,
        Modality as Modality,
        ModalityContext as ModalityContext,
        ModalityDataType as ModalityDataType,
        VideoContext as VideoContext,
    )
    from data_designer.config.models import (
        ChatCompletionInferenceParams as ChatCompletionInferenceParams,
        EmbeddingInferenceParams as EmbeddingInferenceParams,
        GenerationType as GenerationType,
        ImageInferenceParams as ImageInferenceParams,
        ManualDistribution as ManualDistribution,
        ManualDistributionParams as ManualDistributionParams,
        ModelConfig as ModelConfig,
        ModelProvider as ModelProvider,
        UniformDistribution as UniformDistribution,
        UniformDistributionParams as UniformDistributionParams,
    )
    from data_designer.config.processors import (
        DropColumnsProcessorConfig as DropColumnsProcessorConfig,
        ProcessorType as ProcessorType,
        SchemaTransformProcessorConfig as SchemaTransformProcessorConfig,
    )
    from data_designer.config.run_config import (
        JinjaRenderingEngine as JinjaRenderingEngine,
        RequestAdmissionTuningConfig as RequestAdmissionTuningConfig,
        ResumeMode as ResumeMode,
        RunConfig as RunConfig,
        ThrottleConfig as ThrottleConfig,
    )
    from data_designer.config.sampler_constraints import (
        ColumnInequalityConstraint as ColumnInequalityConstraint,
        ConstraintType as ConstraintType,
        InequalityOperator as InequalityOperator,
        ScalarInequalityConstraint as ScalarInequalityConstraint,
    )
    from data_designer.config.sampler_params import (
        BernoulliMixtureSamplerParams as BernoulliMixtureSamplerParams,
        BernoulliSamplerParams as BernoulliSamplerParams,
        BinomialSamplerParams as BinomialSamplerParams,
        CategorySamplerParams as CategorySamplerParams,
        DatetimeSamplerParams as DatetimeSamplerParams,
        GaussianSamplerParams as GaussianSamplerParams,
        PersonFromFakerSamplerParams as PersonFromFakerSamplerParams,
        PersonSamplerParams as PersonSamplerParams,
        PoissonSamplerParams as PoissonSamplerParams,
        SamplerType as SamplerType,
        ScipySamplerParams as ScipySamplerParams,
        SubcategorySamplerParams as SubcategorySamplerParams,
        TimeDeltaSamplerParams as TimeDeltaSamplerParams,
        UUIDSamplerParams as UUIDSamplerParams,
        UniformSamplerParams as UniformSamplerParams,
    )
    from data_designer.config.scheduling import (
        SchedulingMetadata as SchedulingMetadata,
        SchedulingMetadataError as SchedulingMetadataError,
    )
    from data_designer.config.script_params import (
        DataDesignerScriptParams as DataDesignerScriptParams,
    )
    from data_designer.config.seed import (
        IndexRange as IndexRange,
        PartitionBlock as PartitionBlock,
        SamplingStrategy as SamplingStrategy,
        SeedConfig as SeedConfig,
    )
    from data_designer.config.seed_source import (
        AgentRolloutFormat as AgentRolloutFormat,
        AgentRolloutSeedSource as AgentRolloutSeedSource,
        DirectorySeedSource as DirectorySeedSource,
        FileContentsSeedSource as FileContentsSeedSource,
        HuggingFaceSeedSource as HuggingFaceSeedSource,
        LocalFileSeedSource as LocalFileSeedSource,
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
        ImageFormat as ImageFormat,
        VideoFormat as VideoFormat,
    )
    from data_designer.config.utils.trace_type import (
        TraceType as TraceType,
    )
    from data_designer.config.validator_params import (
        CodeValidatorParams as CodeValidatorParams,
        LocalCallableValidatorParams as LocalCallableValidatorParams,
        RemoteValidatorParams as RemoteValidatorParams,
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
    "PartitionBlock": "seed",
    "PersonFromFakerSamplerParams": "sampler_params",
    "PersonSamplerParams": "sampler_params",
    "PoissonSamplerParams": "sampler_params",
    "ProcessorType": "processors",
    "RemoteValidatorParams": "validator_params",
    "RequestAdmissionTuningConfig": "run_config",
    "ResumeMode": "run_config",
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
    "ProcessorType",
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
