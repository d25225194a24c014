"""Embedding columns: which texts a cell has, what its vectors must be, and what is kept of them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from tests.fakes import NOWHERE, model, provider

import data_designer.config as dd
from data_designer.columns.embedding import EMBEDDING, EmbeddingProgram, NoTextError, texts_of
from data_designer.columns.registry import KINDS
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan
from data_designer.plan.violations import violations
from data_designer.values import (
    AgreementRequest,
    AgreementResponse,
    Drop,
    EmbeddingRequest,
    EmbeddingResponse,
    Ok,
    Outcome,
)

Vectors = Sequence[Sequence[float]]


def plan(**params: Any) -> Plan:
    """A column of embeddings of an expression."""
    inference = dd.EmbeddingInferenceParams(**params)
    embedder = dd.ModelConfig(alias="e", model="e", provider="p", inference_parameters=inference)
    made = dd.DataDesignerConfigBuilder(model_configs=[embedder])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="vector", column_type="embedding", target_column="id", model_alias="e")
    return compile_plan(made.build(), {"p": provider(NOWHERE)}, dd.RunConfig(), Geometry(9, 9), seed=1, kinds=KINDS)


def program(**params: Any) -> EmbeddingProgram:
    """How its cells are computed."""
    compiled = plan(**params)
    built = EMBEDDING.build(compiled.stage_of("vector").steps[-1], compiled, None)
    assert isinstance(built, EmbeddingProgram)
    return built


def cell(
    made: EmbeddingProgram, value: object, *replies: Vectors, agreed: int | None = None
) -> tuple[list[list[str]], Outcome]:
    """The texts that a cell asks about, a request each, and what it comes to; the last reply comes again and again.

    The column's vectors are of the length that is `agreed`, else of the first reply's.
    """
    exchange, asked, left = made.exchange({"id": value}, 0), [], list(replies)
    try:
        request = next(exchange)
        while True:
            if isinstance(request, AgreementRequest):
                request = exchange.send(AgreementResponse(agreed or request.said))
                continue
            assert isinstance(request, EmbeddingRequest)
            asked.append(request.texts)
            vectors = left.pop(0) if len(left) > 1 else left[0]
            request = exchange.send(EmbeddingResponse(tuple(map(tuple, vectors))))
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return asked, outcome


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("  plain text\n", ["plain text"]),
        ("", [""]),
        ('["a", " b "]', ["a", "b"]),
        ('["a", "b",]', ["a", "b"]),
        ("['a', 'it\\'s']", ["a", "it's"]),
        ("['a', 'b',]", ["a", "b"]),
        (["a ", "b"], ["a", "b"]),
        (("a",), ["a"]),
        ([], []),
        ("[]", []),
        ("1e5", ["1e5"]),
        ("null", ["null"]),
        ('{"a": 1}', ['{"a": 1}']),
        (7, ["7"]),
        (0.5, ["0.5"]),
        (True, ["True"]),
        ([1, 2.5], ["1", "2.5"]),
        ("[1, 2]", ["1", "2"]),
        ({"a": "ü"}, ['{"a": "ü"}']),
        ([{"a": 1}, ["x"]], ['{"a": 1}', '["x"]']),
        ("[1] as shown by others", ["[1] as shown by others"]),
        ("[see below]", ["[see below]"]),
        ("[__import__('os')]", ["[__import__('os')]"]),
        (r"['\d']", [r"\d"]),
        ("[" * 5000 + "]" * 5000, ["[" * 5000 + "]" * 5000]),
    ],
)
def test_the_texts_of_a_cell(value: object, texts: list[str]) -> None:
    """Lists, lists as text in JSON or as Python prints them, and everything else as one text; nothing is evaluated."""
    assert texts_of(value) == texts


@pytest.mark.parametrize("value", [None, ["a", None], '["a", null]'])
def test_null_has_no_text(value: object) -> None:
    """A word like `None` would have a vector that says something."""
    with pytest.raises(NoTextError):
        texts_of(value)


def test_a_cell_holds_vectors_and_how_many_of_how_many_dimensions() -> None:
    """In the order of the texts, all in one request."""
    asked, outcome = cell(program(), ["a", "b"], [[1.0, 2.0], [3.0, 4.0]])
    assert asked == [["a", "b"]]
    assert outcome == Ok(({"embeddings": [[1.0, 2.0], [3.0, 4.0]], "num_embeddings": 2, "dimension": 2},))


def test_no_text_asks_nothing() -> None:
    """An empty list is a cell without vectors."""
    assert cell(program(), []) == ([], Ok(({"embeddings": [], "num_embeddings": 0, "dimension": 0},)))


def test_null_rejects_the_row() -> None:
    """Before anything is asked."""
    asked, outcome = cell(program(), None)
    assert not asked
    assert isinstance(outcome, Drop)
    assert outcome.reason.message == "column 'id': null has no embedding"


@pytest.mark.parametrize(
    ("params", "vectors", "words"),
    [
        ({}, [[1.0]], "1 embeddings for 2 texts"),
        ({}, [[1.0], [1.0, 2.0]], "1 and 2 dimensions, not 1 as the column's first"),
        ({"dimensions": 3}, [[1.0, 2.0], [1.0, 2.0]], "2 dimensions, not 3 as `dimensions` asks"),
    ],
)
def test_a_reply_that_is_of_no_use_is_asked_for_again(params: dict[str, Any], vectors: Vectors, words: str) -> None:
    """As often as conversations may be restarted; then its row is rejected, and it is said why."""
    made = program(**params)
    good = [[1.0, 2.0, 3.0]] * 2
    asked, outcome = cell(made, ["a", "b"], vectors, good)
    assert len(asked) == 2
    assert isinstance(outcome, Ok)
    asked, outcome = cell(program(**params), ["a", "b"], vectors)
    assert len(asked) == 1 + dd.RunConfig().max_conversation_restarts
    assert isinstance(outcome, Drop)
    assert words in outcome.reason.message
    assert outcome.reason.kind == "ModelGenerationValidationFailureError"


def test_all_vectors_of_a_column_have_as_many_dimensions() -> None:
    """Those of the first cell, where the alias does not say."""
    made = program()
    assert isinstance(cell(made, "a", [[1.0, 2.0]])[1], Ok)
    assert isinstance(cell(made, "b", [[1.0]])[1], Drop)
    assert isinstance(cell(made, "c", [[3.0, 4.0]])[1], Ok)


@pytest.mark.parametrize("dimensions", [None, 3])
def test_the_type_says_how_long_vectors_are_where_that_is_known(dimensions: int | None) -> None:
    """Numbers of 32 bits."""
    compiled = plan(dimensions=dimensions)
    [step] = [step for step in compiled.steps if step.name == "vector"]
    assert EMBEDDING.pooled_type is not None
    arrow = EMBEDDING.pooled_type(step.configs[0], compiled.pools["e"])  # type: ignore[arg-type]
    vector = pa.list_(pa.float32()) if dimensions is None else pa.list_(pa.float32(), dimensions)
    assert arrow.field("embeddings").type == pa.list_(vector)


def test_how_texts_are_gathered_decides_no_value() -> None:
    """A column is the same whatever `texts_per_request` is, and another with other dimensions."""
    prints = [plan(**params).fingerprints["vector"] for params in ({}, {"texts_per_request": 1}, {"dimensions": 2})]
    assert prints[0] == prints[1] != prints[2]


def test_a_chat_model_is_refused_before_anything_is_asked() -> None:
    """Where its inference parameters do not say that it makes embeddings."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("chat")])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="vector", column_type="embedding", target_column="id", model_alias="chat")
    [found] = violations(made.build(), KINDS)
    assert (found.type, found.column) == ("wrong_generation_type", "vector")
    assert "give it inference_parameters of generation_type 'embedding'" in found.message


def test_a_vector_has_the_length_that_others_have_said_first() -> None:
    """In another process, or in an earlier run: what differs is asked for again, and at last is no vector."""
    made = program()
    asked, outcome = cell(made, "a", [(1.0, 2.0)], agreed=3)
    assert isinstance(outcome, Drop)
    assert "2 dimensions, not 3 as the column's first" in outcome.reason.message
    assert len(asked) > 1
    asked, outcome = cell(made, "a", [(1.0, 2.0, 3.0)])
    assert isinstance(outcome, Ok)
    assert len(asked) == 1
