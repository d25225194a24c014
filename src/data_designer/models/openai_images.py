"""The two wire forms of OpenAI-compatible image models: a route of their own, and chat completions with images."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from data_designer.models.addresses import joined
from data_designer.models.error_mapping import ErrorInReplyError, UnreadableError, error_of
from data_designer.models.openai_media import as_posted
from data_designer.models.openai_wire import PATH as CHAT_PATH
from data_designer.models.openai_wire import bearer, usage_of
from data_designer.models.wire import Common, count, request_of
from data_designer.values import ImageRequest, ImageResponse, Request, Usage

PATH = "/images/generations"

_OF_OWN_ROUTE = ("dall-e-", "dalle", "stable-diffusion", "sd-", "sd_", "imagen", "gpt-image-")
"""What the names of models hold that make images of descriptions only."""
_GREETING = ImageRequest("A simple illustration of a thumbs-up sign.")
_DATA = "data:"
_SHORTEST_IMAGE = 100
"""Characters of base64 below which a text is none."""


def has_own_route(model: str) -> bool:
    """Whether a model is asked at the images route, by its name; others are asked in chat."""
    return any(part in model.lower() for part in _OF_OWN_ROUTE)


class _ImagesWire:
    """What both forms have in common.

    Args:
        common: what all requests of an alias have in common.
    """

    constrains_json: ClassVar[bool] = False
    longest_reply: ClassVar[int | None] = None
    usage_field: ClassVar[str] = "usage"
    greeting: ClassVar[Request] = _GREETING

    def __init__(self, common: Common) -> None:
        self._model = common.model
        self._extra = dict(common.extra)

    @staticmethod
    def headers(api_key: str | None) -> dict[str, str]:
        """Headers that carry the key."""
        return bearer(api_key)


class OpenAIImagesWire(_ImagesWire):
    """Asks at `/images/generations`, which takes no media."""

    @staticmethod
    def url(endpoint: str) -> str:
        """Where requests go."""
        return joined(endpoint, PATH)

    def body(self, request: Request) -> dict[str, object]:
        """The JSON that is posted."""
        asked = request_of(ImageRequest, request)
        return {"model": self._model, "prompt": asked.prompt, **asked.params, **self._extra}

    @staticmethod
    def parse(data: object) -> ImageResponse:
        """Read a reply. Raises UnreadableError for what is none."""
        if (error := error_of(data)) is not None:
            raise ErrorInReplyError(error)
        reply: Mapping[str, object] = data if isinstance(data, dict) else {}
        return _response(reply.get("data"), reply)


class OpenAIImageChatWire(_ImagesWire):
    """Asks at `/chat/completions`, and finds images in the reply's message."""

    @staticmethod
    def url(endpoint: str) -> str:
        """Where requests go."""
        return joined(endpoint, CHAT_PATH)

    def body(self, request: Request) -> dict[str, object]:
        """The JSON that is posted: one turn of the user, media before the text."""
        asked = request_of(ImageRequest, request)
        text: dict[str, object] = {"type": "text", "text": asked.prompt}
        content = [*map(as_posted, asked.media), text] if asked.media else asked.prompt
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": content}],
            **asked.params,
            **self._extra,
        }

    @staticmethod
    def parse(data: object) -> ImageResponse:
        """Read a reply. Raises UnreadableError for what is none."""
        if (error := error_of(data)) is not None:
            raise ErrorInReplyError(error)
        reply: Mapping[str, object] = data if isinstance(data, dict) else {}
        match reply.get("choices"):
            case [{"message": {"images": [_, *_] as images}}, *_]:
                return _response(images, reply)
            case [{"message": {"content": str(text)}}, *_]:
                return _response([text] if _may_be_image(text.strip()) else [], reply)
            case [{"message": {}}, *_]:
                return _response([], reply)
            case _:
                raise UnreadableError("the reply holds no message")


def _may_be_image(text: str) -> bool:
    if text.startswith((f"{_DATA}image/", "http://", "https://")):
        return len(text.split()) == 1
    return len(text) > _SHORTEST_IMAGE and text.isascii() and not any(map(str.isspace, text))


def _response(items: object, reply: Mapping[str, object]) -> ImageResponse:
    found = [one.strip() for item in (items if isinstance(items, list) else ()) for one in _texts(item)]
    links = tuple(one for one in found if one.startswith(("http://", "https://")))
    images = tuple(_bare(one) for one in found if not one.startswith(("http://", "https://")))
    return ImageResponse(images, links, usage=_usage(reply.get("usage"), len(found)), counted=True)


def _texts(item: object) -> Iterator[str]:
    """What an item of a reply says of an image: base64, a data URI, or an address."""
    match item:
        case str(text):
            yield text
        case {"b64_json": str(text)}:
            yield text
        case {"image_url": {"url": str(text)}} | {"image_url": str(text)} | {"url": str(text)}:
            yield text
        case _:
            pass


def _bare(text: str) -> str:
    """Base64 without the prefix of a data URI."""
    return text.partition(",")[2] if text.startswith(_DATA) else text


def _usage(data: object, images: int) -> Usage:
    known = usage_of(data) if isinstance(data, dict) else Usage(requests=1)
    return Usage(
        1, 0, known.input_tokens, known.output_tokens, known.reasoning_tokens, known.cached_tokens, count(images)
    )
