"""Media that a model is shown beside the prompt: how an exchange comes by them."""

from collections.abc import Generator, Iterable

from data_designer.config.media import ModalityContext
from data_designer.config.media_blocks import MediaBlock
from data_designer.values import FileRequest, FileResponse, Record, Request, Response


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
