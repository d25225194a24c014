"""A server of tools, with what is needed to reach it and no plan may hold."""

from dataclasses import dataclass, field

from data_designer.config.mcp import LocalStdioMCPProvider, ToolProvider

_SHORTEST_SECRET = 6
"""Characters of a value that is worth hiding: `1` or `true` are no secrets, and would be cut out everywhere."""
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class ToolServer:
    """One server, and the key to it."""

    provider: ToolProvider = field(repr=False)
    api_key: str | None = field(default=None, repr=False)
    """Resolved."""

    @property
    def name(self) -> str:
        """That of its provider."""
        return self.provider.name

    def without_secrets(self, text: str) -> str:
        """A text of the server's without its key and the values of its environment."""
        environment = self.provider.env.values() if isinstance(self.provider, LocalStdioMCPProvider) else ()
        for secret in sorted(filter(None, (self.api_key, *environment)), key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, _HIDDEN)
        return text
