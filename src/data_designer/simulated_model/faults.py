"""What goes wrong with one request to the simulated model, and how long it takes."""

import hashlib
import math
from collections.abc import Callable
from typing import Literal

from data_designer.simulated_model.settings import SimulatedModel

Fault = Literal["reset", "error", "malformed", "hang", "truncated", "refusal", "empty"]
"""What may go wrong with a request; each has a setting `…_rate`."""

_KINDS = ("reset", "error", "malformed", "latency", "angle", "hang", "truncated", "refusal", "empty")
_BYTES = 6
_PLACES = {kind: slice(start * _BYTES, (start + 1) * _BYTES) for start, kind in enumerate(_KINDS)}
"""What is drawn to its own bytes of the digest; a new kind goes to the end, so that the others stay as they are."""
_RATES: dict[Fault, Callable[[SimulatedModel], float]] = {
    "reset": lambda model: model.reset_rate,
    "error": lambda model: model.error_rate,
    "malformed": lambda model: model.malformed_rate,
    "hang": lambda model: model.hang_rate,
    "truncated": lambda model: model.truncated_rate,
    "refusal": lambda model: model.refusal_rate,
    "empty": lambda model: model.empty_rate,
}


class RequestFaults:
    """Depends only on the model's seed, the prompt and how often it was asked before."""

    __slots__ = ("_digest", "_model", "_ordinal", "_prompt")

    def __init__(self, model: SimulatedModel, prompt: bytes, ordinal: int) -> None:
        self._model = model
        self._prompt = prompt
        self._ordinal = ordinal
        self._digest = b""

    def has(self, fault: Fault) -> bool:
        """Whether this goes wrong."""
        rate = _RATES[fault](self._model)
        return rate > 0 and self._share(fault) < rate

    @property
    def latency(self) -> float:
        """Seconds to a reply."""
        model = self._model
        if not model.latency or not model.jitter:
            return model.latency
        if model.jitter_kind == "uniform":
            return model.latency * (1 + model.jitter * (2 * self._share("latency") - 1))
        # Box-Muller; the mean of exp(sigma z) is exp(sigma^2 / 2).
        normal = math.sqrt(-2 * math.log(1 - self._share("latency"))) * math.cos(2 * math.pi * self._share("angle"))
        return model.latency * math.exp(model.jitter * normal - model.jitter**2 / 2)

    def _share(self, kind: str) -> float:
        """A number of [0, 1)."""
        if not self._digest:
            person = (self._model.seed % (1 << 64)).to_bytes(8)
            self._digest = hashlib.blake2b(self._prompt, salt=self._ordinal.to_bytes(8), person=person).digest()
        return int.from_bytes(self._digest[_PLACES[kind]]) / (1 << 8 * _BYTES)
