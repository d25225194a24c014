"""What the YAML blocks of pages are."""

import yaml


def keys_of(block: str) -> set[str]:
    """Its keys; none where it is no mapping."""
    content = yaml.safe_load(block)
    return set(content) if isinstance(content, dict) else set()


def is_configuration(block: str) -> bool:
    """Whether it says what a dataset is to be."""
    return bool(keys_of(block) & {"columns", "data_designer"})
