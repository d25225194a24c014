"""Plugins: columns, seed readers and processors from other packages."""

from data_designer.plugins.plugin import Plugin, PluginType

__all__ = ["Plugin", "PluginType"]
