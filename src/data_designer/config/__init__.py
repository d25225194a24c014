"""The declaration API: `import data_designer.config as dd`. Names are imported when they are first used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_designer.config.analysis.column_profilers import JudgeScoreProfilerConfig as JudgeScoreProfilerConfig
    from data_designer.config.base import SkipConfig as SkipConfig
    from data_designer.config.column_configs import *
    from data_designer.config.column_types import DataDesignerColumnType as DataDesignerColumnType
    from data_designer.config.config_builder import DataDesignerConfigBuilder as DataDesignerConfigBuilder
    from data_designer.config.custom_column import custom_column_generator as custom_column_generator
    from data_designer.config.data_designer_config import DataDesignerConfig as DataDesignerConfig
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
        Price as Price,
        UniformDistribution as UniformDistribution,
        UniformDistributionParams as UniformDistributionParams,
    )
    from data_designer.config.processors import (
        DropColumnsProcessorConfig as DropColumnsProcessorConfig,
        ProcessorType as ProcessorType,
        SchemaTransformProcessorConfig as SchemaTransformProcessorConfig,
    )
    from data_designer.config.run_config import (
        Budget as Budget,
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
    from data_designer.config.sampler_params import *
    from data_designer.config.scheduling import (
        SchedulingMetadata as SchedulingMetadata,
        SchedulingMetadataError as SchedulingMetadataError,
    )
    from data_designer.config.script_params import DataDesignerScriptParams as DataDesignerScriptParams
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
        ReadOptions as ReadOptions,
    )
    from data_designer.config.seed_source_dataframe import DataFrameSeedSource as DataFrameSeedSource
    from data_designer.config.utils.code_lang import CodeLang as CodeLang
    from data_designer.config.utils.info import InfoType as InfoType
    from data_designer.config.utils.media_helpers import (
        AudioFormat as AudioFormat,
        ImageFormat as ImageFormat,
        VideoFormat as VideoFormat,
    )
    from data_designer.config.utils.trace_type import TraceType as TraceType
    from data_designer.config.validator_params import (
        CodeValidatorParams as CodeValidatorParams,
        LocalCallableValidatorParams as LocalCallableValidatorParams,
        RemoteValidatorParams as RemoteValidatorParams,
        ValidatorType as ValidatorType,
    )
    from data_designer.config.version import get_library_version as get_library_version
    from data_designer.errors import (
        InvalidConfigError as InvalidConfigError,
        InvalidFileFormatError as InvalidFileFormatError,
        InvalidFilePathError as InvalidFilePathError,
    )
else:
    from data_designer.config.public_names import imported_when_used

    __getattr__, __dir__ = imported_when_used(__name__)
