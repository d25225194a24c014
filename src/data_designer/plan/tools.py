"""Tools that the models of a plan may call, as their servers describe them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from data_designer.config.mcp import ToolConfig
from data_designer.errors import DuplicateToolNameError, MCPConfigurationError


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of one server."""

    name: str
    provider: str
    """Name of its server."""
    definition: Mapping[str, object]
    """As chat requests carry it, in OpenAI's form."""
    is_repeatable: bool = False
    """Whether it says of itself that calling it twice does no more than calling it once."""


@dataclass(frozen=True, slots=True)
class ToolSet:
    """The tools of one alias."""

    alias: str
    tools: tuple[Tool, ...]
    most_turns: int
    """Turns in which tools are called for one cell."""
    timeout: float | None = None
    """Seconds that a call may take; None for any."""

    @property
    def definitions(self) -> list[Mapping[str, object]]:
        """What chat requests carry."""
        return [tool.definition for tool in self.tools]

    @property
    def names(self) -> list[str]:
        """What may be called."""
        return [tool.name for tool in self.tools]

    def tool(self, name: str) -> Tool | None:
        """The tool of a name; None where there is none."""
        return next((tool for tool in self.tools if tool.name == name), None)


def tool_set(config: ToolConfig, offered: Mapping[str, Sequence[Tool]]) -> ToolSet:
    """The tools that a config allows.

    Args:
        config: it.
        offered: name of a server to all of its tools.

    Raises:
        DuplicateToolNameError: two servers have tools of one name, of which a model could not tell which is called.
        MCPConfigurationError: a tool is allowed that no server has.
    """
    found = [tool for provider in dict.fromkeys(config.providers) for tool in offered[provider]]
    allowed = None if config.allow_tools is None else set(config.allow_tools)
    wanted = [tool for tool in found if allowed is None or tool.name in allowed]
    _refuse_same_names(config.tool_alias, wanted)
    if absent := sorted((allowed or set()) - {tool.name for tool in wanted}):
        raise MCPConfigurationError(
            f"tool config '{config.tool_alias}' allows {_listed(absent)}, which none of its providers "
            f"({_listed(config.providers)}) has; there are {_listed(sorted({tool.name for tool in found}))}"
        )
    return ToolSet(config.tool_alias, tuple(wanted), config.max_tool_call_turns, config.timeout_sec)


def _refuse_same_names(alias: str, tools: Iterable[Tool]) -> None:
    makers: dict[str, str] = {}
    for tool in tools:
        if tool.name in makers:
            raise DuplicateToolNameError(
                f"tool config '{alias}': the providers '{makers[tool.name]}' and '{tool.provider}' both have a tool "
                f"'{tool.name}'; leave one of them out, or give each a tool config of its own"
            )
        makers[tool.name] = tool.provider


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
