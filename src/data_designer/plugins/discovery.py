"""Finds the plugins of installed packages."""

import logging
import os
from importlib.metadata import entry_points

from data_designer.plugins.plugin import Plugin

logger = logging.getLogger(__name__)

GROUP = "data_designer.plugins"


def installed_plugins() -> list[Plugin]:
    """All installed plugins; one that fails to load is logged and left out."""
    if os.environ.get("DISABLE_DATA_DESIGNER_PLUGINS", "").lower() == "true":
        return []
    found = []
    for entry in entry_points(group=GROUP):
        try:
            plugin = entry.load()
        except Exception as error:  # noqa: BLE001 - another package's code may raise anything
            logger.warning("plugin=%s failed to load: %s", entry.name, error)
            continue
        if isinstance(plugin, Plugin):
            found.append(plugin)
        else:
            logger.warning("plugin=%s is no Plugin but %s", entry.name, type(plugin).__name__)
    return found
