"""Errors of tools, where users import them from."""

from data_designer.errors import (
    DuplicateToolNameError,
    MCPClientUnavailableError,
    MCPConfigurationError,
    MCPError,
    MCPToolError,
)

__all__ = [
    "DuplicateToolNameError",
    "MCPClientUnavailableError",
    "MCPConfigurationError",
    "MCPError",
    "MCPToolError",
]
