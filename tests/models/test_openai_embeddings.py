"""Embeddings on the wire: a request for several texts; vectors in their order, whatever order they come in."""

import base64
import json
import struct

import pytest
from tests.models.fakes import pool

from data_designer.models.error_mapping import UnreadableError
from data_designer.models.openai_embeddings import OpenAIEmbeddingsWire
from data_designer.models.wires import greeting, wire_to
from data_designer.values import EmbeddingRequest, Usage, response_of

ALIAS = pool("http://h/v1", model="e", generation_type="embedding", dimensions=3, extra_body={"user": "u"})


def _item(index: object, *numbers: float) -> dict[str, object]:
    return {"object": "embedding", "index": index, "embedding": list(numbers)}


def test_a_request_carries_texts_and_parameters() -> None:
    """To the route of embeddings, as OpenAI's client would send them."""
    wire = wire_to(ALIAS)
    assert wire.url("http://h/v1") == "http://h/v1/embeddings"
    assert wire.body(EmbeddingRequest(["a", "b"])) == {
        "model": "e",
        "input": ["a", "b"],
        "encoding_format": "float",
        "dimensions": 3,
        "user": "u",
    }
    assert wire.body(greeting(ALIAS))["input"] == ["Hello!"]


def test_vectors_are_ordered_by_their_index() -> None:
    """Some servers answer in the order in which they are done."""
    reply = {"data": [_item(1, 2.0), _item(0, 1.0)], "usage": {"prompt_tokens": 7}}
    response = OpenAIEmbeddingsWire.parse(reply)
    assert response.vectors == ((1.0,), (2.0,))
    assert response.usage == Usage(requests=1, input_tokens=7)


@pytest.mark.parametrize("places", [(0, 0), (None, 1), ("1", "0")])
def test_an_index_that_cannot_be_true_is_no_order(places: tuple[object, object]) -> None:
    """The order of the reply counts then."""
    reply = {"data": [_item(place, number) for place, number in zip(places, (5.0, 6.0), strict=True)]}
    assert OpenAIEmbeddingsWire.parse(reply).vectors == ((5.0,), (6.0,))


def test_bytes_are_read_as_numbers() -> None:
    """What `encoding_format="base64"` asks for."""
    packed = base64.b64encode(struct.pack("<2f", 0.5, -2.0)).decode()
    assert OpenAIEmbeddingsWire.parse({"data": [{"embedding": packed}]}).vectors == ((0.5, -2.0),)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        [],
        {"data": []},
        {"data": "x"},
        {"data": [{}]},
        {"data": [{"embedding": []}]},
        {"data": [{"embedding": ["a"]}]},
        {"data": [{"embedding": [True]}]},
        {"data": [{"embedding": "no base64!"}]},
        {"data": [None]},
    ],
)
def test_what_holds_no_vectors_is_no_reply(reply: object) -> None:
    """It is named, and asked for again."""
    with pytest.raises(UnreadableError):
        OpenAIEmbeddingsWire.parse(reply)


def test_numbers_are_those_of_32_bits() -> None:
    """Which models compute with and files hold, however many digits a server prints."""
    response = OpenAIEmbeddingsWire.parse({"data": [_item(0, 0.1, 1)]})
    assert response.vectors == ((struct.unpack("<f", struct.pack("<f", 0.1))[0], 1.0),)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300, 10**400])
def test_what_no_32_bits_hold_is_no_reply(number: float) -> None:
    """Servers that print JSON leniently send such."""
    with pytest.raises(UnreadableError, match="cannot be read"):
        OpenAIEmbeddingsWire.parse({"data": [{"embedding": [0.5, number]}]})


def test_the_journal_keeps_vectors() -> None:
    """A reply that was paid for is read as it was."""
    response = OpenAIEmbeddingsWire.parse({"data": [_item(0, 0.1, 1e-9)], "usage": {"prompt_tokens": 7}})
    kept = json.loads(json.dumps(response.content))
    assert response_of(kept, response.usage) == response


@pytest.mark.parametrize("vector", [[0.1], "abc", "AAAA", None])
def test_what_is_no_packed_vector_is_nothing(vector: object) -> None:
    """As a damaged line of a journal may hold."""
    with pytest.raises(ValueError, match=r"vector|base64|padding"):
        response_of(["embedding", [vector]], Usage())
