"""What can be shown about samplers, models and providers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from data_designer.config.mcp import LocalStdioMCPProvider, ToolConfig, ToolProvider
from data_designer.config.models import ModelConfig, ModelProvider, without_credentials
from data_designer.config.sampler_params import SAMPLER_PARAMS
from data_designer.config.utils.info import InfoType
from data_designer.terminal import as_it_is, console

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Information:
    """Tables about what can be used. `builder.info` has samplers and models, `DataDesigner.info` providers."""

    models: Sequence[ModelConfig] | None = None
    """Models that are shown; None where there are none to show."""
    providers: Sequence[ModelProvider] | None = None
    """Providers that are shown; None where there are none to show."""
    tool_providers: Sequence[ToolProvider] | None = None
    """Servers of tools that are shown; None where there are none to show."""
    tool_configs: Sequence[ToolConfig] | None = None
    """Tools that models may call, which are shown; None where there are none to show."""
    console: "Console | None" = field(default=None, repr=False)
    """Where tables are printed; standard output, when not given."""

    def display(self, info_type: "str | InfoType", *, sampler_type: str | None = None) -> None:
        """Print a table.

        Args:
            info_type: what to show.
            sampler_type: of samplers, only this one.

        Raises:
            ValueError: there is nothing of that kind to show.
        """
        match str(info_type):
            case InfoType.SAMPLERS if self.models is not None:
                self._print("Samplers", ("sampler", "parameters"), _samplers(sampler_type))
            case InfoType.MODEL_CONFIGS if self.models is not None:
                rows = [
                    (m.alias, m.model, m.provider or "(the first)", m.inference_parameters.format_for_display())
                    for m in self.models
                ]
                self._print("Models", ("alias", "model", "provider", "inference parameters"), rows)
            case InfoType.MODEL_PROVIDERS if self.providers is not None:
                shown = [
                    (p.name, ", ".join(map(without_credentials, p.addresses)) or "embedded", p.provider_type, key)
                    for p in self.providers
                    for key in (_masked(p.api_key),)
                ]
                self._print("Providers", ("name", "endpoint", "type", "key"), shown)
            case "mcp_providers" if self.tool_providers is not None:
                self._print(
                    "Servers of tools", ("name", "type", "where"), [_server(one) for one in self.tool_providers]
                )
            case "tool_configs" if self.tool_configs is not None:
                tools = [
                    (t.tool_alias, ", ".join(t.providers), "all" if t.allow_tools is None else ", ".join(t.allow_tools))
                    for t in self.tool_configs
                ]
                self._print("Tool configs", ("alias", "servers", "tools"), tools)
            case _:
                raise ValueError(f"there is nothing to show for {info_type!r}")

    def _print(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.table import Column, Table

        table = Table(*(Column(one, overflow="fold") for one in head), title=title)
        for row in rows:
            table.add_row(*map(as_it_is, row))
        (self.console or console()).print(table)


def _server(one: ToolProvider) -> tuple[str, str, str]:
    if isinstance(one, LocalStdioMCPProvider):
        return one.name, one.provider_type, " ".join([one.command, *one.args])
    return one.name, one.provider_type, without_credentials(one.endpoint)


def _samplers(only: str | None) -> list[tuple[str, str]]:
    return [
        (kind, ", ".join(name for name in cls.model_fields if name != "sampler_type"))
        for kind, cls in SAMPLER_PARAMS.items()
        if only in (None, kind)
    ]


def _masked(key: str | None) -> str:
    """Names of environment variables are shown, keys are not."""
    if not key:
        return "(not set)"
    if key.isupper() and "_" in key:
        return key
    return f"***{key[-4:]}" if len(key) > 4 else "***"
