"""All that is known of one kind of sampler, in one value."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from data_designer.columns.random_streams import Floats, Indices, uniforms
from data_designer.config.base import ConfigBase
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_params import Scalar

Drawn = npt.NDArray[Any]
"""One value a row: numbers, datetime64[s], or objects."""

Others = Mapping[str, Drawn]
"""The columns that a sampler needs: their values in the rows that are drawn, as they were before conversion."""

Draw = Callable[[int, Indices, Others], Drawn]
"""Stream, record indices and other columns in, one value a row out."""

Known = Mapping[str, SamplerColumnConfig]
"""The sampler columns of a configuration by name."""

P = TypeVar("P", bound=ConfigBase)


class Holds(StrEnum):
    """What the values of a sampler are, before conversion."""

    REALS = "reals"
    COUNTS = "counts"
    TEXTS = "texts"
    MOMENTS = "moments"
    """Moments while they are drawn and compared, text once they are done."""
    PEOPLE = "people"
    LISTED = "listed"
    """Values that the parameters list."""


CONVERTED = frozenset({Holds.REALS, Holds.COUNTS, Holds.LISTED})
"""What `convert_to` turns into another type; of moments it is the pattern, of others nothing."""


@dataclass(frozen=True)
class Sampler(Generic[P]):
    """A kind of sampler: what is declared of it, how that is checked, and what is drawn."""

    params: type[P]
    """The class of its parameters."""
    holds: Holds
    draw: Callable[[P], Draw]
    """Raises InvalidSamplerParamsError where nothing can be drawn from these parameters."""
    check: Callable[[P, Known], Iterable[str]] = lambda _params, _known: ()
    """What is wrong with its parameters, beside what their class refuses."""
    needs: Callable[[P], set[str]] = lambda _: set()
    """Other sampler columns that it is drawn from."""
    listed: Callable[[P], Sequence[Scalar]] = lambda _: ()
    """All values it can come to, where it holds those that its parameters list."""


def objects(values: Sequence[object]) -> Drawn:
    """Values as an array that leaves each its own type."""
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def by_inverse(transform: Callable[[Floats], Drawn]) -> Draw:
    """Draw by inverse transform: a uniform number of (0, 1) a row in, a value out."""
    return lambda stream, rows, _others: transform(uniforms(stream, rows))
