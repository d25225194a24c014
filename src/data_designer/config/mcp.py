"""Tools that models may call."""

from typing import Literal, TypeAlias

from pydantic import Field

from data_designer.config.base import ConfigBase


class MCPProvider(ConfigBase):
    """A tool server at a URL."""

    name: str
    endpoint: str
    provider_type: Literal["sse", "streamable_http"] = "sse"
    api_key: str | None = Field(default=None, repr=False)


class LocalStdioMCPProvider(ConfigBase):
    """A tool server that is a local process."""

    name: str
    command: str
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    provider_type: Literal["stdio"] = "stdio"


ToolProvider: TypeAlias = MCPProvider | LocalStdioMCPProvider
"""A tool server, wherever it is."""


class ToolConfig(ConfigBase):
    """Tools as columns know them: by their alias."""

    tool_alias: str
    providers: list[str]
    allow_tools: list[str] | None = None
    """None allows all, an empty list none."""
    max_tool_call_turns: int = Field(default=5, ge=1)
    """Turns of calls for a cell; calls of later ones are refused in words."""
    timeout_sec: float | None = Field(default=None, gt=0)
    """Seconds that a call, or a listing of the tools, may take; None for any."""
