"""Media that a model is shown beside the prompt: how an exchange comes by them."""

from collections.abc import Generator, Iterable, Iterator, Sequence

from data_designer.config.column_configs import ImageColumnConfig, LLMTextColumnConfig
from data_designer.config.media import ModalityContext
from data_designer.config.media_blocks import MediaBlock
from data_designer.config.models import UNSEEN_MEDIA, ModelProvider
from data_designer.plan.violation import Violation
from data_designer.values import FileRequest, FileResponse, Record, Request, Response


def contexts_of(column: LLMTextColumnConfig | ImageColumnConfig) -> Sequence[ModalityContext]:
    """The media that a column's model is shown."""
    return column.multi_modal_context or ()


def media_blocks(contexts: Iterable[ModalityContext], record: Record) -> Generator[Request, Response, list[MediaBlock]]:
    """All media of a record, context by context, as blocks that every wire translates; files are asked for.

    Use it in an exchange: `blocks = yield from media_blocks(contexts, record)`.

    Raises:
        MediaError: a cell holds something else.
    """
    blocks: list[MediaBlock] = []
    for context in contexts:
        look = context.looking(record)
        try:
            name = next(look)
            while True:
                response = yield FileRequest(name)
                assert isinstance(response, FileResponse)
                name = look.send(response.data)
        except StopIteration as stop:
            blocks += stop.value
    return blocks


def unseen_media(column: str, contexts: Iterable[ModalityContext], provider: ModelProvider) -> Iterator[Violation]:
    """Media of a column that no model of a provider can be shown."""
    for context in contexts:
        if context.modality in UNSEEN_MEDIA.get(provider.provider_type, ()):
            message = (
                f"'{context.column_name}' holds {context.modality}, which provider '{provider.name}' (of type "
                f"'{provider.provider_type}') has no form for; take another one"
            )
            yield Violation("unsupported_media", column, message)
