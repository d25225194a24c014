"""Errors of plugins, where users import them from."""

from data_designer.errors import PluginLoadError, PluginNotFoundError, PluginRegistrationError

__all__ = ["PluginLoadError", "PluginNotFoundError", "PluginRegistrationError"]
