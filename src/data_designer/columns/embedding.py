"""Columns of embeddings: the vectors that a model gives the texts of another column."""

import ast
import json
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Final

import pyarrow as pa

from data_designer.config.column_configs import EmbeddingColumnConfig
from data_designer.config.models import EmbeddingInferenceParams
from data_designer.errors import ModelGenerationValidationFailureError
from data_designer.lenient_json import UnholdableError, loads
from data_designer.plan.kinds import ColumnKind
from data_designer.plan.model import Plan, Pool, Step
from data_designer.values import (
    AgreementRequest,
    AgreementResponse,
    Drop,
    EmbeddingRequest,
    EmbeddingResponse,
    Exchange,
    Ok,
    Reason,
    Record,
)

_TRAILING_COMMA: Final = re.compile(r",\s*\]$")
_LONGEST_PYTHON: Final = 100_000
"""Characters of a text that is read as a list of Python: that takes a hundred times its memory."""


class NoTextError(ValueError):
    """There is no text of which there could be a vector."""


def texts_of(value: object) -> list[str]:
    """The texts of a cell, without the spaces around them: the items of a list, or all of it as one.

    A list may also be given as text: in JSON, with a comma before its end or not, or as Python prints it.

    Raises:
        NoTextError: the cell, or an item, is null.
    """
    if isinstance(value, str):
        items = _listed(value.strip())
        return [value.strip()] if items is None else _texts(items)
    return _texts(value if isinstance(value, list | tuple) else [value])


def _texts(items: Iterable[object]) -> list[str]:
    return [_text(item).strip() for item in items]


def _text(item: object) -> str:
    match item:
        case str():
            return item
        case None:
            raise NoTextError("null has no embedding")
        case dict() | list() | tuple():
            return json.dumps(item, ensure_ascii=False, default=str)
        case _:
            return str(item)


def _listed(text: str) -> Sequence[object] | None:
    """The items of a list that is given as text; None where it is another text."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for candidate in (text, _TRAILING_COMMA.sub("]", text)):
        try:
            value = loads(candidate)
        except (json.JSONDecodeError, UnholdableError):
            continue
        return value if isinstance(value, list) else None
    return _listed_by_python(text) if len(text) <= _LONGEST_PYTHON else None


def _listed_by_python(text: str) -> Sequence[object] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes, in what is no code
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, list) else None


class EmbeddingProgram:
    """Computes a cell: one vector for each text of the target.

    Args:
        target: the column whose texts they are.
        dimensions: of a vector; None for those of the column's first, in whichever process and run, since all vectors
            of a column have as many.
        attempts: requests that a cell may come to, where replies are of no use.
    """

    def __init__(self, target: str, dimensions: int | None, attempts: int) -> None:
        self._target = target
        self._asked = dimensions
        self._dimensions = dimensions
        self._attempts = attempts

    def exchange(self, record: Record, index: int) -> Exchange:  # noqa: ARG002 - cells do not depend on it
        """Ask for the vectors of a record's texts."""
        try:
            texts = texts_of(record[self._target])
        except NoTextError as error:
            return Drop(Reason(type(error).__name__, f"column '{self._target}': {error}"))
        if not texts:
            return Ok((_cell((), 0),))
        problem = ""
        for _ in range(self._attempts):
            response = yield EmbeddingRequest(texts)
            assert isinstance(response, EmbeddingResponse)
            problem = self._problem(response.vectors, len(texts))
            if not problem and self._dimensions is None:
                agreement = yield AgreementRequest(len(response.vectors[0]))
                assert isinstance(agreement, AgreementResponse)
                self._dimensions = agreement.agreed
                problem = self._problem(response.vectors, len(texts))
            if not problem:
                assert self._dimensions is not None
                return Ok((_cell(response.vectors, self._dimensions),))
        return Drop(Reason(ModelGenerationValidationFailureError.__name__, problem))

    def _problem(self, vectors: Sequence[Sequence[float]], texts: int) -> str:
        """What is wrong with a reply; empty where nothing is."""
        if len(vectors) != texts:
            return f"the reply holds {len(vectors)} embeddings for {texts} texts"
        lengths = sorted({len(vector) for vector in vectors})
        wanted = self._dimensions or lengths[0]
        if lengths == [wanted]:
            return ""
        found = " and ".join(map(str, lengths))
        why = "as `dimensions` asks" if self._asked else "as the column's first"
        return f"an embedding of the reply has {found} dimensions, not {wanted} {why}"


def _cell(vectors: Sequence[Sequence[float]], dimension: int) -> dict[str, object]:
    return {"embeddings": list(map(list, vectors)), "num_embeddings": len(vectors), "dimension": dimension}


def _build(step: Step, plan: Plan, _: "pa.Table | None") -> EmbeddingProgram:
    [column] = step.of(EmbeddingColumnConfig)
    return EmbeddingProgram(
        column.target_column, _dimensions(plan.pools[step.pool]), 1 + plan.run.max_conversation_restarts
    )


def _dimensions(pool: Pool) -> int | None:
    """Of a vector, where the alias says."""
    return pool.params.dimensions if isinstance(pool.params, EmbeddingInferenceParams) else None


def _type(_: EmbeddingColumnConfig, pool: Pool) -> pa.DataType:
    """Vectors of numbers of 32 bits; all of one length in the type too, where the alias says of which."""
    vector = pa.list_(pa.float32(), _dimensions(pool) or -1)
    return pa.struct([("embeddings", pa.list_(vector)), ("num_embeddings", pa.int64()), ("dimension", pa.int64())])


EMBEDDING = ColumnKind(
    config=EmbeddingColumnConfig,
    build=_build,
    generation_type="embedding",
    pooled_type=_type,
)
