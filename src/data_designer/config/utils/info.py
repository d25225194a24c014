"""What `info.display` can show."""

from enum import StrEnum


class InfoType(StrEnum):
    """Kinds of information that can be displayed."""

    SAMPLERS = "samplers"
    MODEL_CONFIGS = "model_configs"
    MODEL_PROVIDERS = "model_providers"
