"""What `info.display` can show."""

from enum import StrEnum


class InfoType(StrEnum):
    """What `info.display` can show."""

    SAMPLERS = "samplers"
    """Sampler types and the names of their parameters; of a builder."""
    MODEL_CONFIGS = "model_configs"
    """Models, their providers and inference parameters; of a builder."""
    MODEL_PROVIDERS = "model_providers"
    """Providers with their addresses, keys masked; of a `DataDesigner`."""
