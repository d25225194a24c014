"""Keys: the name of an environment variable, or the key itself."""

from collections.abc import Mapping
from typing import Protocol


class SecretResolver(Protocol):
    """Turns what stands in a configuration into the secret it means."""

    def resolve(self, secret: str) -> str:
        """The secret. Raises SecretResolutionError where there is none."""
        ...


def resolve_key(api_key: str | None, environment: Mapping[str, str]) -> str | None:
    """The key that `api_key` means: that environment variable's value if it is set, else the text itself.

    None, and so no key at all, where what it means is empty.
    """
    if not api_key:
        return None
    return environment.get(api_key, api_key).strip() or None
