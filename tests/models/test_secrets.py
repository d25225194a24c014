"""Keys: what stands in a configuration, and what it means."""

import pytest

from data_designer.models.secrets import resolve_key


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("MY_KEY", "from-the-environment"),
        ("sk-literal", "sk-literal"),
        ("EMPTY_ONE", None),
        ("FROM_A_FILE", "with-a-line-end"),
        ("", None),
        (None, None),
    ],
)
def test_a_key_is_a_variable_s_value_or_the_text_itself(given: str | None, key: str | None) -> None:
    """The environment comes first, then the text; a variable that is set to nothing means no key."""
    assert (
        resolve_key(given, {"MY_KEY": "from-the-environment", "EMPTY_ONE": "", "FROM_A_FILE": "with-a-line-end\n"})
        == key
    )
