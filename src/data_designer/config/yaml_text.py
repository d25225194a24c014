"""Reads YAML, and so JSON, in which nothing is said twice."""

from typing import Any


def read_yaml(text: str) -> Any:
    """What a YAML or JSON text says.

    Raises:
        yaml.YAMLError: it does not parse, or a mapping has a key twice, of which YAML itself keeps the last.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Keys that come by `<<` may be given again: they are not in the mapping itself."""

        def compose_mapping_node(self, anchor: Any) -> Any:
            """A mapping as it is written."""
            node = super().compose_mapping_node(anchor)
            seen: dict[tuple[str, Any], Any] = {}
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                first = seen.setdefault((key.tag, key.value), key)
                if first is not key:
                    said = f"the key '{key.value}' is given twice, first in line {first.start_mark.line + 1}"
                    raise yaml.MarkedYAMLError(problem=said, problem_mark=key.start_mark)
            return node

    try:
        return yaml.load(text, Loader)  # noqa: S506 - it is a safe one
    except (ValueError, RecursionError) as error:
        # Dates that are none, and thousands of brackets, are of the text too.
        raise yaml.YAMLError(f"{type(error).__name__}: {error}") from error
