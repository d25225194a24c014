"""Tools that models may call."""

from typing import Literal, TypeAlias

from pydantic import Field

from data_designer.config.base import ConfigBase


class MCPProvider(ConfigBase):
    """A server of tools at a URL, by the Model Context Protocol."""

    name: str
    """Name by which tool configs know it; unique."""
    endpoint: str
    """Its URL."""
    provider_type: Literal["sse", "streamable_http"] = "sse"
    """How it is spoken with: server-sent events, or streamable HTTP."""
    api_key: str | None = Field(default=None, repr=False)
    """Name of an environment variable, or the key itself, sent as a bearer token; unset, none is sent."""


class LocalStdioMCPProvider(ConfigBase):
    """A server of tools that is a program on this machine, started for the run and ended with it.

    On a cluster one runs beside each process of a model alias.
    """

    name: str
    """Name by which tool configs know it; unique."""
    command: str
    """The program; on a cluster every node needs it."""
    args: list[str] = Field(default_factory=list)
    """Its arguments."""
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    """Variables of its environment, beside `HOME`, `LOGNAME`, `PATH`, `SHELL`, `TERM` and `USER`; it sees no others
    of yours."""
    provider_type: Literal["stdio"] = "stdio"


ToolProvider: TypeAlias = MCPProvider | LocalStdioMCPProvider
"""A tool server, wherever it is."""


class ToolConfig(ConfigBase):
    """Which tools a column's model may call; columns know it by its alias."""

    tool_alias: str
    """The name that columns give as `tool_alias`; unique."""
    providers: list[str]
    """Names of the servers whose tools these are. Names of tools differ over all of them."""
    allow_tools: list[str] | None = None
    """Names of the tools that may be called; unset, all; an empty list, none. One that no server offers is refused
    before anything is asked."""
    max_tool_call_turns: int = Field(default=5, ge=1)
    """Replies of a cell that may call tools; calls of later ones are refused in words, and after three refusals the
    record is rejected."""
    timeout_sec: float | None = Field(default=None, gt=0)
    """Seconds that a call, or the listing of the tools, may take; unset, any number. A call that takes longer
    rejects its record."""
