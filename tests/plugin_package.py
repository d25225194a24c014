"""An installed package with plugins, made for a test: what other packages would bring."""

import os
import subprocess
import sys
from pathlib import Path

CONFIGS = """
from typing import Literal
from pydantic import BaseModel
from data_designer.config.base import SingleColumnConfig

class Mirrored(SingleColumnConfig):
    column_type: Literal["mirrored-text"] = "mirrored-text"
    of: str
    times: int = 1

    @property
    def required_columns(self):
        return [self.of]

    @property
    def side_effect_columns(self):
        return [f"{self.name}_length"]

class Ranked(SingleColumnConfig):
    column_type: Literal["ranked"] = "ranked"
    of: str

    @property
    def required_columns(self):
        return [self.of]

    @property
    def side_effect_columns(self):
        return []

class Awaited(Ranked):
    column_type: Literal["awaited"] = "awaited"

class Posing(Ranked):
    column_type: Literal["llm_text"] = "llm_text"

class Loose(Ranked):
    column_type: str = "loose"

class Seeds(BaseModel):
    seed_type: Literal["mine"] = "mine"

class Asking(Ranked):
    column_type: Literal["asking"] = "asking"
    model_alias: str = "m"

class Early(Asking):
    column_type: Literal["early"] = "early"

class Homeless(Ranked):
    column_type: Literal["homeless"] = "homeless"

class Broken(Ranked):
    column_type: Literal["broken"] = "broken"

class Idle(Ranked):
    column_type: Literal["idle"] = "idle"

class Unready(Ranked):
    column_type: Literal["unready"] = "unready"
"""
GENERATORS = """
import asyncio
from data_designer.engine.column_generators.generators.base import (
    ColumnGeneratorCellByCell, ColumnGeneratorFullColumn,
)

class Mirror(ColumnGeneratorCellByCell):
    def _initialize(self):
        self.times = self.config.times

    def generate(self, data):
        text = self._mirrored(data[self.config.of]) * self.times
        return {**data, self.config.name: text, f"{self.config.name}_length": len(text)}

    def _mirrored(self, text):
        return text[::-1]

class Rank(ColumnGeneratorFullColumn):
    def generate(self, data):
        data[self.config.name] = data[self.config.of].rank().astype(int)
        return data

class Wait(ColumnGeneratorCellByCell):
    async def agenerate(self, data):
        await asyncio.sleep(0)
        return {**data, self.config.name: f"awaited {data[self.config.of]}"}

class Ask(ColumnGeneratorCellByCell):
    def generate(self, data):
        alias = self.config.model_alias
        prompt = f"About {data[self.config.of]}"
        same = self.resource_provider.model_registry.get_model(model_alias=alias).generate(prompt)[0]
        return {**data, self.config.name: [self.models[alias].generate(prompt)[0], same]}

class AskEarly(Ask):
    def _initialize(self):
        self.resource_provider.model_registry.get_model(model_alias="m")

class Idle(ColumnGeneratorFullColumn):
    pass

class Unready(Rank):
    def _initialize(self):
        raise FileNotFoundError("weights.bin")
"""
PLUGINS = """
from data_designer.plugins.plugin import Plugin, PluginType

def plugin(config, generator, kind=PluginType.COLUMN_GENERATOR, module="work"):
    return Plugin(
        plugin_type=kind,
        config_qualified_name=f"plugged.configs.{config}",
        impl_qualified_name=f"plugged.{module}.{generator}",
    )

def __getattr__(name):
    # Made when it is asked for, since a plugin that is wrong cannot be made at all.
    wrong = {
        "loose": ("Loose", "Rank"),
        "posing": ("Posing", "Rank"),
        "seeds": ("Seeds", "Rank", PluginType.SEED_READER),
    }
    if name not in wrong:
        raise AttributeError(name)
    return plugin(*wrong[name])

mirror, rank = plugin("Mirrored", "Mirror"), plugin("Ranked", "Rank")
wait, asking, early = plugin("Awaited", "Wait"), plugin("Asking", "Ask"), plugin("Early", "AskEarly")
homeless, broken = plugin("Homeless", "Nowhere"), plugin("Broken", "Broken", module="broken")
idle, unready = plugin("Idle", "Idle"), plugin("Unready", "Unready")
twin, nonsense = plugin("Ranked", "Mirror"), "no plugin"
"""

BROKEN = 'raise RuntimeError("no such device")'
MODULES = {"__init__": "", "configs": CONFIGS, "work": GENERATORS, "broken": BROKEN, "plugins": PLUGINS}


def install(folder: Path, *, plugins: tuple[str, ...] = ("mirror", "rank", "wait")) -> dict[str, str]:
    """Put the package into a folder as an installer would. Gives the environment of processes that have it.

    Args:
        folder: where to; empty.
        plugins: those of its plugins that it announces.
    """
    package = folder / "plugged"
    package.mkdir()
    for name, text in MODULES.items():
        (package / f"{name}.py").write_text(text)
    info = folder / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (info / "RECORD").write_text("plugged/__init__.py,,\nplugged/work.py,,\n")
    announced = "\n".join(f"{name} = plugged.plugins:{name}" for name in plugins)
    (info / "entry_points.txt").write_text(f"[data_designer.plugins]\n{announced}\n")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def run(environment: dict[str, str], code: str, **more: str) -> tuple[str, str]:
    """What a program writes, to its output and beside it, that finds the package installed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **more},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, done.stderr
