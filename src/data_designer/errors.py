"""Every error a user can meet, named for the boundary that was crossed.

    DataDesignerError
    ├── declaring      BuilderConfigurationError, BuilderSerializationError, InvalidColumnTypeError,
    │                  InvalidConfigError, InvalidFilePathError, InvalidFileFormatError,
    │                  UserJinjaTemplateSyntaxError, InvalidEnumValueError, InvalidTypeUnionError,
    │                  InvalidDiscriminatorFieldError, PluginLoadError, PluginRegistrationError,
    │                  PluginNotFoundError
    ├── planning       ConfigCompilationError, DAGCircularDependencyError, UnknownProviderError,
    │                  NoModelProvidersError, SecretResolutionError
    ├── computing      PromptTemplateRenderError, ExpressionTemplateRenderError, SeedDatasetError,
    │                  SeedReaderError ── SeedReaderConfigError, CustomColumnGenerationError,
    │                  LocalCallableValidationError, RemoteValidationSchemaError, ParserException,
    │                  SamplingGenError ── RejectionSamplingError, DataConversionError,
    │                                      InvalidSamplerParamsError, PersonSamplerConstraintsError,
    │                                      DatasetNotAvailableForLocaleError, ManagedDatasetGeneratorError,
    │                  MissingPersonFieldsError
    ├── asking         ModelError ── one class for each kind of refusal; `retryable` says whether
    │                                asking again can help
    ├── calling tools  MCPError ── MCPConfigurationError ── DuplicateToolNameError,
    │                              MCPClientUnavailableError, MCPToolError
    ├── running        DataDesignerRuntimeError ── RayGoneError, DatasetGenerationError,
    │                  DatasetProcessingError
    ├── storing        ArtifactStorageError ── DatasetInUseError
    └── at the door    DataDesignerGenerationError ── DataDesignerEarlyShutdownError,
                       DataDesignerProfilingError, DataDesignerWorkflowError, InvalidBufferValueError,
                       HuggingFaceHubClientUploadError,
                       DatasetSampleDisplayError, AnalysisReportError

A row that fails is not an error but a value (`values.Drop`); these classes are for what stops a call.
Each carries its message as its only positional argument, so it survives pickling between processes. Where nobody
catches it, it is printed: as text it steers no terminal, whatever others have said in it.
"""

from typing import ClassVar

from data_designer.terminal import visible


class DataDesignerError(Exception):
    """Root of everything this library raises on purpose."""

    def __str__(self) -> str:
        return visible(super().__str__())


# --- declaring -------------------------------------------------------------------------------------------


class BuilderConfigurationError(DataDesignerError):
    """A builder method was called with arguments that cannot describe a dataset."""


class BuilderSerializationError(DataDesignerError):
    """The configuration holds something that no file can carry, such as a DataFrame."""


class InvalidColumnTypeError(DataDesignerError):
    """Something that is no column configuration was given where a column is expected."""


class InvalidConfigError(DataDesignerError):
    """The declaration is wrong; the message lists every violation found."""


class InvalidFilePathError(DataDesignerError):
    """A file or folder named in the declaration does not exist."""


class MissingConfigFileError(InvalidFilePathError, FileNotFoundError, ValueError):
    """A file of a configuration is not there."""


class InvalidFileFormatError(DataDesignerError):
    """A file has a suffix that is not read or written here."""


class UserJinjaTemplateSyntaxError(DataDesignerError):
    """A template does not parse."""


class InvalidEnumValueError(DataDesignerError):
    """A string names no member of the enumeration it is meant for."""


class InvalidTypeUnionError(DataDesignerError):
    """A union of configuration classes is not made of configuration classes."""


class InvalidDiscriminatorFieldError(DataDesignerError):
    """A configuration class lacks the literal field that tells it apart."""


class PluginLoadError(DataDesignerError):
    """A plugin names a class that cannot be imported."""


class PluginRegistrationError(DataDesignerError):
    """Two plugins claim one name."""


class PluginNotFoundError(DataDesignerError):
    """No plugin of that name is installed."""


# --- planning --------------------------------------------------------------------------------------------


class ConfigCompilationError(DataDesignerError):
    """The declaration cannot be turned into a plan."""


class DAGCircularDependencyError(DataDesignerError):
    """Columns need each other in a circle; the message names the circle."""


class UnknownProviderError(DataDesignerError):
    """A model configuration names a provider that was not given."""


class NoModelProvidersError(DataDesignerError):
    """There is no model provider at all."""


class SecretResolutionError(DataDesignerError):
    """A key could not be resolved."""


# --- computing -------------------------------------------------------------------------------------------


class PromptTemplateRenderError(DataDesignerError):
    """A prompt could not be rendered for a record."""


class ExpressionTemplateRenderError(DataDesignerError):
    """An expression could not be rendered or converted for a record."""


class MediaError(DataDesignerError, ValueError):
    """A cell does not hold the image, recording or film that a model is to be shown."""


class SeedDatasetError(DataDesignerError):
    """The seed dataset cannot serve the selection asked of it."""


class SeedReaderError(DataDesignerError):
    """A seed source could not be read."""


class SeedReaderConfigError(SeedReaderError):
    """A seed source is declared in a way that can never be read."""


class CustomColumnGenerationError(DataDesignerError):
    """A custom column's function raised or broke its contract."""


class CodeDoesNotTravelError(DataDesignerError):
    """Code of the user cannot be sent to where it is to run."""


class LocalCallableValidationError(DataDesignerError):
    """A local validation function raised or broke its contract."""


class RemoteValidationError(DataDesignerError):
    """A remote validator could not be reached, or did not answer."""


class RemoteValidationSchemaError(DataDesignerError):
    """A remote validator answered with something that does not fit its declared schema."""


class ParserException(DataDesignerError):  # noqa: N818 - the name users' own parsers raise
    """A reply could not be parsed; the text is shown to the model when it is asked to correct itself.

    Args:
        msg: what is wrong with it.
        source: what could not be parsed, for whoever catches this.
    """

    def __init__(self, msg: str | None = None, source: str | None = None) -> None:
        super().__init__(*(part for part in (msg,) if part is not None))
        self.source = source


class SamplingGenError(DataDesignerError):
    """Root of what can go wrong while sampling."""


class RejectionSamplingError(SamplingGenError):
    """No draw satisfied a column's constraints within the allowed tries."""


class DataConversionError(SamplingGenError):
    """A sampled value cannot be converted as `convert_to` asks."""


class DatasetNotAvailableForLocaleError(SamplingGenError):
    """There is no managed person data for the locale."""


class ManagedDatasetGeneratorError(SamplingGenError):
    """Managed person data could not be read."""


class InvalidSamplerParamsError(SamplingGenError):
    """A sampler's parameters are refused by the distribution they name."""


class PersonSamplerConstraintsError(SamplingGenError):
    """No person satisfies the filters."""


class MissingPersonFieldsError(DataDesignerError):
    """Managed person data lack a field that every person has."""


# --- asking a model --------------------------------------------------------------------------------------


class ModelError(DataDesignerError):
    """A model endpoint refused or failed.

    Attributes:
        retryable: whether the same request may succeed later.
        retry_after: seconds the endpoint asked to be left alone, when it said so.
        status: the HTTP status, when there was one.
        attempts: how often the request was sent before this was raised.
        beside: the numbers of a `Usage`: what was spent to find out that the request is to blame.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message, retry_after, status)
        self.retry_after = retry_after
        self.status = status
        self.attempts = 1
        self.beside: tuple[int, ...] = ()

    def __str__(self) -> str:
        return visible(str(self.args[0]))


class ModelRateLimitError(ModelError):
    """HTTP 429.

    Attributes:
        elsewhere: whether another endpoint has room, so that there is nothing to wait for.
    """

    retryable = True
    elsewhere = False


class ModelQuotaExceededError(ModelError):
    """The account has no credit or quota left."""


class ModelTimeoutError(ModelError):
    """No reply in time, or HTTP 408."""

    retryable = True


class ModelRequestAdmissionTimeoutError(ModelTimeoutError):
    """The request waited too long for a free slot."""


class ModelContextWindowExceededError(ModelError):
    """The prompt is longer than the model reads."""


class ModelAuthenticationError(ModelError):
    """HTTP 401."""


class ModelPermissionDeniedError(ModelError):
    """HTTP 403."""


class ModelNotFoundError(ModelError):
    """HTTP 404."""


class ModelUnsupportedParamsError(ModelError):
    """HTTP 400 about a parameter the model does not know."""


class ModelBadRequestError(ModelError):
    """HTTP 400."""


class ModelInternalServerError(ModelError):
    """HTTP 409, 423, 424, 425, 460, 499 or 5xx."""

    retryable = True


class ModelUnsupportedCapabilityError(ModelError):
    """The provider type cannot do what the column asks."""


class ModelAPIError(ModelError):
    """The endpoint, or its address, is not what it is taken for."""


class ModelInvalidReplyError(ModelAPIError):
    """The endpoint answered as if all were well, with something that is no reply."""

    retryable = True


class ModelRequestRejectedError(ModelAPIError):
    """Another HTTP 4xx."""


class ModelUnprocessableEntityError(ModelError):
    """HTTP 422."""


class ModelAPIConnectionError(ModelError):
    """The endpoint could not be reached, or hung up."""

    retryable = True


class ModelStructuredOutputError(ModelError):
    """The endpoint cannot constrain its output as asked."""


class ModelGenerationValidationFailureError(ModelError):
    """Every allowed attempt at a parsable reply was used up."""


class ModelTruncatedReplyError(ModelGenerationValidationFailureError):
    """The reply was cut off before its end."""


class ModelRefusalError(ModelGenerationValidationFailureError):
    """The model declined to answer, or the provider's filter did."""


class ModelEmptyReplyError(ModelGenerationValidationFailureError):
    """The reply holds nothing."""


class ModelToolCallsReplyError(ModelGenerationValidationFailureError):
    """The reply calls tools instead of answering."""


class Outage(ModelError):  # noqa: N818 - it says what it is
    """The endpoint has been failing for longer than the run is willing to wait."""


class ImageGenerationError(ModelError):
    """No image came back."""


# --- calling tools ---------------------------------------------------------------------------------------


class MCPError(DataDesignerError):
    """Something about tools, or the servers that offer them."""


class MCPConfigurationError(MCPError):
    """Tools are declared that are not there."""


class DuplicateToolNameError(MCPConfigurationError):
    """Two servers of one tool config offer tools of the same name."""


class MCPClientUnavailableError(MCPError):
    """A server of tools cannot be reached, or what reaches it is not installed."""


class MCPToolError(MCPError):
    """A call of a tool failed, or names a tool that may not be called; its row is rejected."""


# --- running ---------------------------------------------------------------------------------------------


class DataDesignerRuntimeError(DataDesignerError):
    """The engine met a state it cannot go on from."""


class RayGoneError(DataDesignerRuntimeError):
    """Ray was shut down or has died while a run was under way."""


class DatasetGenerationError(DataDesignerError):
    """A dataset could not be generated or resumed."""


class DatasetProcessingError(DataDesignerError):
    """A processor failed."""


class ArtifactStorageError(DataDesignerError):
    """A dataset directory cannot be created, written or read."""


class DatasetInUseError(ArtifactStorageError):
    """Another run writes the dataset."""


# --- at the door -----------------------------------------------------------------------------------------


class DataDesignerGenerationError(DataDesignerError):
    """`create` or `preview` gave no dataset; the cause is chained."""


class DataDesignerEarlyShutdownError(DataDesignerGenerationError):
    """Too many cells of a column failed, and no record was complete."""


class DataDesignerProfilingError(DataDesignerError):
    """The dataset was made but could not be profiled."""


class DataDesignerWorkflowError(DataDesignerError):
    """A composite workflow is declared or resumed wrongly."""


class HuggingFaceHubClientUploadError(DataDesignerError):
    """A dataset could not be uploaded to the Hugging Face hub."""


class InvalidBufferValueError(DataDesignerError):
    """`buffer_size` is no positive integer."""


class DatasetSampleDisplayError(DataDesignerError):
    """A sample record cannot be shown as asked."""


class AnalysisReportError(DataDesignerError):
    """A report cannot be made as asked."""
