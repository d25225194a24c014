"""Deprecated run settings, where users import them from."""

from data_designer.config.run_config import ThrottleConfig

__all__ = ["ThrottleConfig"]
