"""What turns what stands as a key into the key: variables of the environment, the text itself, a file."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from data_designer.errors import SecretResolutionError


class SecretResolver(ABC):
    """Turns what stands in a configuration into the secret it means; `DataDesigner(secret_resolver=...)` takes one."""

    @abstractmethod
    def resolve(self, secret: str) -> str:
        """The secret. Raises SecretResolutionError where there is none."""


class EnvironmentResolver(SecretResolver):
    """Names of environment variables."""

    def resolve(self, secret: str) -> str:
        """The value of a variable."""
        if secret not in os.environ:
            raise SecretResolutionError(f"there is no environment variable '{_name(secret)}'; set it")
        return os.environ[secret]


class PlaintextResolver(SecretResolver):
    """Secrets as they are."""

    def resolve(self, secret: str) -> str:
        """The text itself."""
        return secret


class SecretsFileResolver(SecretResolver):
    """Names of entries of a JSON file that holds one object of texts."""

    def __init__(self, filepath: "str | Path") -> None:
        """Read the file.

        Args:
            filepath: where it is.

        Raises:
            SecretResolutionError: it is not there, or no object of texts.
        """
        try:
            found = json.loads(Path(filepath).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SecretResolutionError(f"the file of secrets {filepath} cannot be read") from error
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise SecretResolutionError(f"the file of secrets {filepath} must hold one object of texts")
        self._secrets: dict[str, str] = found
        self._place = filepath

    def resolve(self, secret: str) -> str:
        """The entry of that name."""
        if secret not in self._secrets:
            raise SecretResolutionError(f"the file of secrets {self._place} has no entry '{_name(secret)}'")
        return self._secrets[secret]


class CompositeResolver(SecretResolver):
    """Several resolvers, of which the first counts that finds something."""

    def __init__(self, resolvers: Sequence[SecretResolver]) -> None:
        self._resolvers = tuple(resolvers)

    @property
    def resolvers(self) -> Sequence[SecretResolver]:
        """Which."""
        return self._resolvers

    def resolve(self, secret: str) -> str:
        """What the first finds."""
        for resolver in self._resolvers:
            try:
                return resolver.resolve(secret)
            except SecretResolutionError:
                continue
        raise SecretResolutionError(f"none of {len(self._resolvers)} resolvers knows '{_name(secret)}'")


def _name(secret: str) -> str:
    """What may be shown: the name of a variable, but nothing that may be a key."""
    return secret if secret.isidentifier() and secret.upper() == secret else f"{secret[:2]}…"
