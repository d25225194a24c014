"""How plugin authors describe what their columns use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["local", "model", "custom_model"]
_LENGTHS = {"local": 2, "model": 4, "custom_model": 4}


class SchedulingMetadataError(ValueError):
    """Scheduling metadata that cannot be.

    Attributes:
        code: what is wrong: `invalid_kind`, `invalid_identity` or `invalid_weight`.
        message: the same in words.
        fallback: what could be used instead; None where there is nothing.
        diagnostics: what else there is to say of it.
    """

    def __init__(
        self, *, code: str, message: str, fallback: object = None, diagnostics: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fallback = fallback
        self.diagnostics = diagnostics or {}


@dataclass(frozen=True)
class SchedulingMetadata:
    """Which resource a plugin's generator says that it uses, and how much of it.

    It is checked and does nothing: requests are bounded by their model's `max_parallel_requests`.
    """

    kind: Kind = "local"
    """`local`, a CPU; `model`, a model; `custom_model`, something of the plugin's own."""
    identity: tuple[str, ...] = ("local", "default")
    """Which one: texts, the first of which is the kind. The class methods put them together."""
    weight: int = 1
    """How much of it; a positive whole number."""
    diagnostics: Mapping[str, object] = field(default_factory=dict)
    """What else there is to say of it."""

    def __post_init__(self) -> None:
        if self.kind not in _LENGTHS:
            raise SchedulingMetadataError(code="invalid_kind", message=f"unknown kind {self.kind!r}")
        identity = self.identity
        texts = isinstance(identity, tuple) and all(isinstance(part, str) and part for part in identity)
        if not texts or len(identity) != _LENGTHS[self.kind] or identity[0] != self.kind:
            raise SchedulingMetadataError(
                code="invalid_identity", message=f"identity {identity!r} does not fit kind {self.kind!r}"
            )
        if isinstance(self.weight, bool) or not isinstance(self.weight, int) or self.weight < 1:
            raise SchedulingMetadataError(
                code="invalid_weight", message=f"weight must be a positive integer, not {self.weight!r}"
            )

    @classmethod
    def local(cls, resource_name: str = "default", *, weight: int = 1) -> "SchedulingMetadata":
        """Work on a CPU."""
        return cls("local", ("local", resource_name), weight)

    @classmethod
    def model(
        cls,
        provider_name: str,
        model_id: str,
        generation_kind: str,
        *,
        weight: int,
        diagnostics: Mapping[str, object] | None = None,
    ) -> "SchedulingMetadata":
        """Requests to a model."""
        return cls("model", ("model", provider_name, model_id, generation_kind), weight, diagnostics or {})

    @classmethod
    def custom_model(
        cls,
        plugin_namespace: str,
        resource_name: str,
        version: str,
        *,
        weight: int = 1,
        diagnostics: Mapping[str, object] | None = None,
    ) -> "SchedulingMetadata":
        """Requests to a resource of a plugin's own."""
        return cls(
            "custom_model",
            ("custom_model", plugin_namespace, resource_name, version),
            weight,
            diagnostics or {},
        )
