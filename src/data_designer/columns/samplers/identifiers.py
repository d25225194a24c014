"""The sampler of unique identifiers."""

from data_designer.columns.random_streams import Indices, permuted, words
from data_designer.columns.samplers.sampler import Draw, Drawn, Holds, Others, Sampler, objects
from data_designer.config.sampler_params import UUIDSamplerParams


def _uuid(params: UUIDSamplerParams) -> Draw:
    prefix = params.prefix or ""

    def draw(stream: int, rows: Indices, _: Others) -> Drawn:
        """Unique because they are a permutation of the record index, or hold one."""
        short = permuted(stream, rows % (1 << 32), 1 << 32)
        if params.short_form:
            texts = [f"{number:08x}" for number in short.tolist()]
        else:
            first, second = words(stream, rows, 1), words(stream, rows, 2)
            parts = zip(short.tolist(), first.tolist(), second.tolist(), strict=True)
            texts = [f"{one:08x}{two:016x}{three & 0xFFFFFFFF:08x}" for one, two, three in parts]
        return objects([prefix + (text.upper() if params.uppercase else text) for text in texts])

    return draw


UUID = Sampler(UUIDSamplerParams, Holds.TEXTS, _uuid)
