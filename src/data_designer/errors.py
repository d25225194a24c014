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

from typing import ClassVar, Self

from data_designer.terminal import visible


class DataDesignerError(Exception):
    """Root of everything that this library raises on purpose.

    Catch it to catch all of them. The message names the boundary, the thing, and what to do.
    """

    def __str__(self) -> str:
        return visible(super().__str__())


# --- declaring -------------------------------------------------------------------------------------------


class BuilderConfigurationError(DataDesignerError):
    """A builder method was called with arguments that cannot describe a dataset.

    Correct the call; the message names what is missing, given twice or of the wrong kind.
    """


class BuilderSerializationError(DataDesignerError):
    """The configuration holds something that no file can carry, such as a DataFrame.

    Write the DataFrame to a file, with `LocalFileSeedSource.from_dataframe`, and take that as the seed.
    """


class InvalidColumnTypeError(DataDesignerError):
    """Something that is no column configuration was given where a column is expected.

    Give an object of one of the classes that the message lists, or `name` and `column_type`.
    """


class InvalidConfigError(DataDesignerError):
    """The declaration is wrong; the message lists every violation found.

    Correct what it lists, each with its column and, in a file, its line; `data-designer validate` tells the same
    without asking a model.
    """


class InvalidFilePathError(DataDesignerError):
    """A file or folder that is named in the declaration does not exist.

    Correct the path; relative ones count from the working directory.
    """


class MissingConfigFileError(InvalidFilePathError, FileNotFoundError, ValueError):
    """A file of a configuration is not there.

    Correct the path; relative ones count from the working directory.
    """


class InvalidFileFormatError(DataDesignerError):
    """A file has a suffix that is not read or written here.

    Take one of those that the message lists.
    """


class UserJinjaTemplateSyntaxError(DataDesignerError):
    """A template does not parse.

    Correct it where the message points; braces come in pairs, `{{ name }}`.
    """


class InvalidEnumValueError(DataDesignerError):
    """A text names no member of the enumeration that it is meant for.

    Take the name that the message suggests.
    """


class InvalidTypeUnionError(DataDesignerError):
    """A union of configuration classes is not made of configuration classes.

    It is there for scripts that import it; this version does not raise it.
    """


class InvalidDiscriminatorFieldError(DataDesignerError):
    """A configuration class lacks the literal field that tells it apart.

    It is there for scripts that import it; this version does not raise it.
    """


class PluginLoadError(DataDesignerError):
    """A plugin names a class that cannot be imported.

    Correct the plugin's names, or install what its module needs.
    """


class PluginRegistrationError(DataDesignerError):
    """Two plugins claim one name.

    It is there for scripts that import it; this version does not raise it, but leaves the second one out with a
    warning.
    """


class PluginNotFoundError(DataDesignerError):
    """No plugin of that name is installed.

    It is there for scripts that import it; this version does not raise it.
    """


# --- planning --------------------------------------------------------------------------------------------


class ConfigCompilationError(DataDesignerError):
    """The declaration cannot be turned into a plan.

    Correct what the message names: an alias or a provider that is not declared, or a library that a column needs and
    that is not installed.
    """


class DAGCircularDependencyError(DataDesignerError):
    """Columns need each other in a circle; the message names the circle.

    Take one of its references out of a prompt, an expression or a condition.
    """


class UnknownProviderError(DataDesignerError):
    """A model configuration names a provider that was not given.

    Correct the name, or give the provider to `DataDesigner(model_providers=[...])` or in the home file.
    """


class NoModelProvidersError(DataDesignerError):
    """There is no model provider at all.

    Give at least one, or leave `model_providers` out for the defaults.
    """


class SecretResolutionError(DataDesignerError):
    """A key could not be resolved.

    Set the environment variable that `api_key` names, or see what your `secret_resolver` says.
    """


# --- computing -------------------------------------------------------------------------------------------


class PromptTemplateRenderError(DataDesignerError):
    """A prompt could not be rendered for a record, or rendered to nothing.

    See the record's values in the message; guard what may be missing, as in `{{ name or 'nobody' }}`.
    """


class ExpressionTemplateRenderError(DataDesignerError):
    """An expression could not be rendered for a record, or gave what its `dtype` cannot hold.

    Correct the expression or its `dtype`; guard values that may be missing.
    """


class MediaError(DataDesignerError, ValueError):
    """A cell does not hold the image, recording or film that a model is to be shown.

    Correct the seed, or the `data_type` of the context; files have to lie below the dataset's or the seed's folder.
    """


class SeedDatasetError(DataDesignerError):
    """The seed dataset cannot serve the selection asked of it.

    Choose rows that there are: indices count from 0, and there are no more partitions than rows.
    """


class SeedReaderError(DataDesignerError):
    """A seed source could not be read; the message names the file, and the column or line.

    Correct the file, or say by `read_options` how it is to be read.
    """


class SeedReaderConfigError(SeedReaderError):
    """A seed source is declared in a way that can never be read.

    Take a file or a DataFrame, as the message says.
    """


class CustomColumnGenerationError(DataDesignerError):
    """A custom column's function raised or broke its contract; the message names the line.

    Correct the function: it returns what it was given, with its column and its `side_effect_columns`. What it may get
    from models it can catch as `ModelError`.
    """


class CodeDoesNotTravelError(DataDesignerError):
    """Code of the user, or what a plan needs, cannot be sent to where it is to run.

    Make clients, locks and files inside the function instead of outside; install on every node what is installed here.
    """


class LocalCallableValidationError(DataDesignerError):
    """A local validation function raised or broke its contract.

    Correct the function: as many rows as it was given, with a column `is_valid` of true, false or null.
    """


class RemoteValidationError(DataDesignerError):
    """A remote validator could not be reached, or did not answer.

    Look at the service, or raise `timeout` and `max_retries`. The verdicts are null, and the records stay.
    """


class RemoteValidationSchemaError(DataDesignerError):
    """A remote validator answered with something that does not fit its declared schema.

    Correct the service or `output_schema`. The verdicts are null, and the records stay.
    """


class ParserException(DataDesignerError):  # noqa: N818 - the name users' own parsers raise
    """A reply could not be parsed.

    Raise it in a parser that you give to `generate`, with what the model is to be told: it is asked to correct itself.

    Args:
        msg: what is wrong with it.
        source: what could not be parsed, for whoever catches this.
    """

    def __init__(self, msg: str | None = None, source: str | None = None) -> None:
        super().__init__(*(part for part in (msg,) if part is not None))
        self.source = source


class SamplingGenError(DataDesignerError):
    """Root of what can go wrong while sampling.

    See the kinds of it.
    """


class RejectionSamplingError(SamplingGenError):
    """No draw satisfied a column's constraints within 5,000 tries.

    Loosen the constraints, or bring the distribution nearer to them.
    """


class DataConversionError(SamplingGenError):
    """A value cannot be converted, or written into a file.

    Have the function return numbers, texts, lists and dicts.
    """


class DatasetNotAvailableForLocaleError(SamplingGenError):
    """There is no managed person data for the locale.

    It is there for scripts that import it; this version does not raise it.
    """


class ManagedDatasetGeneratorError(SamplingGenError):
    """Managed person data could not be read.

    See the message for the file; `data-designer download personas` says where one belongs. Queries need the package
    duckdb.
    """


class InvalidSamplerParamsError(SamplingGenError):
    """A sampler's parameters are refused by the distribution they name, or its condition failed for a record.

    Correct the parameters as `scipy.stats` documents them, or the condition.
    """


class PersonSamplerConstraintsError(SamplingGenError):
    """No person satisfies the filters.

    Loosen those that the message names.
    """


class MissingPersonFieldsError(DataDesignerError):
    """Managed person data lack a field that every person has.

    Give the file of that locale the column that the message names, or take the data as they are published.
    """


# --- asking a model --------------------------------------------------------------------------------------


class ModelError(DataDesignerError):
    """A model endpoint refused or failed.

    See the kinds of it. In a function of a custom column, catch it to go on without the reply.

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

    def twin(self) -> Self:
        """Another one that says the same, whatever libraries have registered with `copyreg` for errors."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin

    def __str__(self) -> str:
        return visible(str(self.args[0]))


class ModelRateLimitError(ModelError):
    """HTTP 429: the endpoint refuses more requests for now.

    Nothing, where it passes: the run waits. Else lower `max_parallel_requests`, or set `requests_per_minute`.

    Attributes:
        elsewhere: whether another endpoint has room, so that there is nothing to wait for.
    """

    retryable = True
    elsewhere = False


class ModelQuotaExceededError(ModelError):
    """The account has no credit or quota left (HTTP 402, or an endpoint that says so).

    Top up the account or take another provider, then resume: what was answered is kept.
    """


class ModelTimeoutError(ModelError):
    """No reply in time, or HTTP 408.

    Raise `timeout`, or lower `max_parallel_requests` or `max_tokens`.
    """

    retryable = True


class ModelRequestAdmissionTimeoutError(ModelTimeoutError):
    """The request waited too long for a free slot.

    It is there for scripts that import it; this version does not raise it: a request waits until a slot is free.
    """


class ModelContextWindowExceededError(ModelError):
    """The prompt is longer than the model reads.

    Shorten the prompt, or take a model with a larger context window.
    """


class ModelAuthenticationError(ModelError):
    """HTTP 401: the key is missing or wrong.

    Correct `api_key`, or the environment variable that it names, then resume.
    """


class ModelPermissionDeniedError(ModelError):
    """HTTP 403: the key may not do this.

    Ask for access to the model, or take another.
    """


class ModelNotFoundError(ModelError):
    """HTTP 404: there is no such model, or no such route.

    Correct `model` or the provider's `endpoint`; `data-designer models PROVIDER` lists what is served.
    """


class ModelUnsupportedParamsError(ModelError):
    """HTTP 400 about a parameter that the model does not know.

    Take the parameter out of the inference parameters or `extra_body`.
    """


class ModelBadRequestError(ModelError):
    """HTTP 400.

    See the endpoint's words in the message; the request can be seen with `data-designer show DATASET --record N`.
    """


class ModelInternalServerError(ModelError):
    """HTTP 409, 423, 424, 425, 460, 499 or 5xx.

    Look at the endpoint; the run waits for it as long as `outage_patience` says.
    """

    retryable = True


class ModelUnsupportedCapabilityError(ModelError):
    """The provider type cannot do what the column asks.

    Take a provider that can: embeddings and images need one of type `openai`.
    """


class ModelAPIError(ModelError):
    """The endpoint, or its address, is not what it is taken for.

    Correct the provider's `endpoint`, as the message says.
    """


class ModelInvalidReplyError(ModelAPIError):
    """The endpoint answered as if all were well, with something that is no reply.

    See what it answered in the message: a proxy's page, broken JSON, a reply beyond `max_reply_bytes`.
    """

    retryable = True


class ModelRequestRejectedError(ModelAPIError):
    """Another HTTP 4xx.

    See the endpoint's words in the message; `data-designer preview` tries a change of the model's settings.
    """


class ModelUnprocessableEntityError(ModelError):
    """HTTP 422: the request is understood and refused.

    See the endpoint's words in the message, mostly about a field of `extra_body`.
    """


class ModelAPIConnectionError(ModelError):
    """The endpoint could not be reached, or hung up.

    See that the address is right and the server runs; the run waits for it as long as `outage_patience` says.
    """

    retryable = True


class ModelStructuredOutputError(ModelError):
    """The endpoint cannot constrain its output as asked.

    Take `structured_output="auto"` or `"prompt"`.
    """


class ModelGenerationValidationFailureError(ModelError):
    """Every allowed attempt at a parsable reply was used up.

    See the last reply in `rejected/`; flatten the schema, make the prompt clearer, or raise
    `max_conversation_correction_steps`.
    """


class ModelTruncatedReplyError(ModelGenerationValidationFailureError):
    """The reply was cut off before its end.

    Raise `max_tokens`, or shorten the prompt where the context window is full.
    """


class ModelRefusalError(ModelGenerationValidationFailureError):
    """The model declined to answer, or the provider's filter did.

    Change the prompt or the model.
    """


class ModelEmptyReplyError(ModelGenerationValidationFailureError):
    """The reply holds nothing.

    See whether it is a chat model, and whether all its tokens go into thinking: raise `max_tokens`.
    """


class ModelToolCallsReplyError(ModelGenerationValidationFailureError):
    """The reply calls tools instead of answering.

    Raise `max_tool_call_turns`, or have the prompt say when to stop; without tools, take `tools` out of `extra_body`.
    """


class Outage(ModelError):  # noqa: N818 - it says what it is
    """The endpoint has been failing for longer than the run is willing to wait (`outage_patience`).

    See to the endpoint, then resume: what was answered is kept.
    """


class ImageGenerationError(ModelError):
    """No image came back that can be decoded.

    See what the endpoint answered in the message; the model's name decides how it is asked.
    """


# --- calling tools ---------------------------------------------------------------------------------------


class MCPError(DataDesignerError):
    """Something about tools, or the servers that offer them.

    See the kinds of it.
    """


class MCPConfigurationError(MCPError):
    """Tools are declared that are not there.

    Correct `providers` and `allow_tools`; `list_mcp_tool_names` says what a server offers.
    """


class DuplicateToolNameError(MCPConfigurationError):
    """Two servers of one tool config offer tools of the same name.

    Leave one out by `allow_tools`, or make two tool configs.
    """


class MCPClientUnavailableError(MCPError):
    """A server of tools cannot be reached, or what reaches it is not installed.

    See that its command runs, or that its address is right.
    """


class MCPToolError(MCPError):
    """A call of a tool failed, took too long, or names a tool that may not be called; its record is rejected.

    See the server's words in the message, then `data-designer retry-failed`.
    """


# --- running ---------------------------------------------------------------------------------------------


class DataDesignerRuntimeError(DataDesignerError):
    """The engine met a state that it cannot go on from.

    Resume; where it comes again, report it with its traceback (`--debug`).
    """


class RayGoneError(DataDesignerRuntimeError):
    """Ray was shut down or has died while a run was under way.

    Start it, and resume: what was answered is kept.
    """


class DatasetGenerationError(DataDesignerError):
    """A dataset could not be generated or resumed.

    See the message: what differs from the configuration that it was made with, or which file is damaged.
    """


class DatasetProcessingError(DataDesignerError):
    """A processor of a plugin could not be made, or failed for a batch.

    Mend the plugin; the dataset can be resumed. A record that a schema transform cannot make is null there instead.
    """


class ArtifactStorageError(DataDesignerError):
    """A dataset directory cannot be created, written or read.

    See the path in the message; `data-designer check DATASET` says which files are damaged.
    """


class DatasetInUseError(ArtifactStorageError):
    """Another run writes the dataset.

    Wait for it, or end it; a lock of a run that was killed is void by itself, on another machine after 20 seconds.
    """


# --- at the door -----------------------------------------------------------------------------------------


class DataDesignerGenerationError(DataDesignerError):
    """The configuration is wrong, or no record could be made; what went wrong first is its `__cause__`.

    See the message: it counts the reasons, and how to resume.
    """


class DataDesignerEarlyShutdownError(DataDesignerGenerationError):
    """Too many cells of a column failed, and no record was complete.

    See the reasons in the message; `disable_early_shutdown=True` attempts every record all the same.
    """


class DataDesignerProfilingError(DataDesignerError):
    """Statistics of a dataset could not be calculated.

    It is there for scripts that import it; this version does not raise it.
    """


class DataDesignerWorkflowError(DataDesignerError):
    """A workflow is not as it must be, or a stage of it came to nothing.

    The message names the stage and what is wrong with it; stages that were made stay, and `resume` takes them.
    """


class HuggingFaceHubClientUploadError(DataDesignerError):
    """A dataset could not be uploaded to the Hugging Face hub.

    Install `huggingface_hub`, log in or give a token that may write, and see the message for what the hub refused.
    """


class InvalidBufferValueError(DataDesignerError):
    """A buffer size that cannot be.

    It is there for scripts that import it; this version refuses such a `RunConfig` itself.
    """


class DatasetSampleDisplayError(DataDesignerError):
    """A record cannot be shown, or not saved as asked.

    Give an index that there is, and a file that ends in `.html` or `.svg`.
    """


class AnalysisReportError(DataDesignerError):
    """A report cannot be saved as asked.

    Give a file that ends in `.html` or `.svg`.
    """
