"""Samplers of one of some values."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from data_designer.columns.random_streams import Floats, Indices, uniforms
from data_designer.columns.samplers.sampler import Draw, Drawn, Holds, Known, Others, Sampler, by_inverse, objects
from data_designer.config.near_names import suggestion
from data_designer.config.sampler_params import CategorySamplerParams, SamplerType, Scalar, SubcategorySamplerParams


def _choice(values: Sequence[Scalar], weights: Sequence[float] | None = None) -> Callable[[Floats], Drawn]:
    """Choose one of some values a row, each keeping its own type."""
    options = objects(values)
    if weights is None:
        return lambda drawn: options[(drawn * len(options)).astype(np.int64)]
    edges = np.cumsum(np.asarray(weights) / np.sum(weights))
    # Rounding may leave the last edge just below 1, and a weight of zero must stay impossible all the same.
    last = np.flatnonzero(weights)[-1]
    return lambda drawn: options[np.minimum(np.searchsorted(edges, drawn, side="right"), last)]


def _category(params: CategorySamplerParams) -> Draw:
    return by_inverse(_choice(params.values, params.weights))


def _subcategory(params: SubcategorySamplerParams) -> Draw:
    choices = {parent: _choice(options) for parent, options in params.values.items()}

    def draw(stream: int, rows: Indices, others: Others) -> Drawn:
        parents = np.array([str(parent) for parent in others[params.category]], dtype=object)
        uniform = uniforms(stream, rows)
        made = np.empty(len(rows), dtype=object)
        for parent in set(parents.tolist()):
            mine = parents == parent
            made[mine] = choices[parent](uniform[mine])
        return made

    return draw


def _check_subcategory(params: SubcategorySamplerParams, known: Known) -> Iterator[str]:
    parent = known.get(params.category)
    if parent is None or parent.sampler_type != SamplerType.CATEGORY:
        categories = [name for name, one in known.items() if one.sampler_type == SamplerType.CATEGORY]
        yield f"its category '{params.category}' is no category sampler{suggestion(params.category, categories)}"
        return
    either = [parent.params, *parent.conditional_params.values()]
    values = {str(value) for some in either if isinstance(some, CategorySamplerParams) for value in some.values}
    for missing in sorted(values - set(params.values)):
        yield f"there are no subcategories for '{missing}' of '{params.category}'"
    for extra in sorted(set(params.values) - values):
        yield f"'{extra}' is no value of '{params.category}'{suggestion(extra, values)}"
    for empty in sorted(name for name, options in params.values.items() if not options):
        yield f"the subcategories of '{empty}' are empty"


CATEGORY = Sampler(CategorySamplerParams, Holds.LISTED, _category, listed=lambda params: params.values)
SUBCATEGORY = Sampler(
    SubcategorySamplerParams,
    Holds.LISTED,
    _subcategory,
    _check_subcategory,
    needs=lambda params: {params.category},
    listed=lambda params: [value for some in params.values.values() for value in some],
)
