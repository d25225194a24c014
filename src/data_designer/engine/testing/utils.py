"""What tests of plugins call."""

from data_designer.config.base import SingleColumnConfig
from data_designer.engine.column_generators.generators.base import ColumnGenerator
from data_designer.plugins import Plugin, PluginType


def assert_valid_plugin(plugin: Plugin) -> None:
    """Check that a plugin's classes are there and of the kind that it says.

    Raises:
        PluginLoadError: one cannot be imported.
        AssertionError: one is of another kind, or its kind is not supported by this version.
    """
    assert plugin.plugin_type == PluginType.COLUMN_GENERATOR, f"{plugin.plugin_type} plugins are not supported"
    for name, cls, base in (
        (plugin.config_qualified_name, plugin.config_cls, SingleColumnConfig),
        (plugin.impl_qualified_name, plugin.impl_cls, ColumnGenerator),
    ):
        assert isinstance(cls, type), f"{name} is no class"
        assert issubclass(cls, base), f"{name} is no {base.__name__}"
    assert plugin.impl_cls.carried_out_by(), f"{plugin.impl_qualified_name} has neither generate nor agenerate"
