"""What tests of plugins call."""

from data_designer.config.base import ProcessorConfig, SingleColumnConfig
from data_designer.config.seed_source import SeedSource
from data_designer.engine.column_generators.generators.base import ColumnGenerator
from data_designer.engine.processing.processors.base import Processor
from data_designer.engine.resources.seed_reader import SeedReader
from data_designer.plugins import Plugin, PluginType

_BASES = {
    PluginType.COLUMN_GENERATOR: (SingleColumnConfig, ColumnGenerator),
    PluginType.SEED_READER: (SeedSource, SeedReader),
    PluginType.PROCESSOR: (ProcessorConfig, Processor),
}


def assert_valid_plugin(plugin: Plugin) -> None:
    """Check that a plugin's classes are there and of the kind that it says.

    Raises:
        PluginLoadError: one cannot be imported.
        AssertionError: one is of another kind.
    """
    config, implementation = _BASES[plugin.plugin_type]
    for name, cls, base in (
        (plugin.config_qualified_name, plugin.config_cls, config),
        (plugin.impl_qualified_name, plugin.impl_cls, implementation),
    ):
        assert isinstance(cls, type), f"{name} is no class"
        assert issubclass(cls, base), f"{name} is no {base.__name__}"
    if plugin.plugin_type != PluginType.COLUMN_GENERATOR:
        return
    assert plugin.impl_cls.carried_out_by(), f"{plugin.impl_qualified_name} has neither generate nor agenerate"
