"""Finds the plugins of installed packages."""

import logging
import os
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points

from data_designer.plugins.plugin import Plugin, PluginType

logger = logging.getLogger(__name__)

GROUP = "data_designer.plugins"


def plugins_of(kind: PluginType, base: type, taken: Iterable[str]) -> dict[str, Plugin]:
    """The installed plugins of a kind, by name; one that cannot be used is left out with a warning.

    Args:
        kind: what they add.
        base: what their configuration classes are.
        taken: names that none of them may have.
    """
    found: dict[str, Plugin] = {}
    names = {_spelled(name) for name in taken}
    for plugin in installed_plugins():
        if plugin.plugin_type != kind:
            continue
        if _spelled(plugin.name) in names:
            why = f"another {kind.display_name} is called {plugin.name}"
        elif not (isinstance(plugin.config_cls, type) and issubclass(plugin.config_cls, base)):
            why = f"{plugin.config_qualified_name} is no {base.__name__}"
        else:
            found[plugin.name] = plugin
            names.add(_spelled(plugin.name))
            continue
        logger.warning("plugin=%s is left out: %s", plugin.name, why)
    return found


def _spelled(name: str) -> str:
    return name.replace("-", "_").upper()


@cache
def installed_plugins() -> tuple[Plugin, ...]:
    """All installed plugins; one that fails to load is logged and left out."""
    if os.environ.get("DISABLE_DATA_DESIGNER_PLUGINS", "").lower() == "true":
        return ()
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
    return tuple(found)
