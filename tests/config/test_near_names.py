"""Names that nobody knows: the one that was meant is said."""

import pytest

from data_designer.config.near_names import listed, nearest, suggestion


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("revew", ["review", "topic"], "review"),
        ("Review", ["review"], "review"),
        ("llm_text", ["llm-text", "llm-code"], "llm-text"),
        ("zzz", ["review"], None),
        ("", ["review"], None),
        ("x", [], None),
    ],
)
def test_the_name_that_was_meant(name: str, known: list[str], meant: str | None) -> None:
    """Letters, case, hyphens and underscores are easily mistaken; what is like nothing means nothing."""
    assert nearest(name, known) == meant


def test_where_nothing_is_like_it_what_there_is_is_said() -> None:
    """One, some, or the first of many."""
    assert suggestion("revew", ["review"]) == "; did you mean 'review'?"
    assert suggestion("zzz", ["review"]) == "; there is review"
    assert suggestion("zzz", ["b", "a"]) == "; there are a, b"
    assert suggestion("zzz", []) == "; there is none"
    assert listed(f"c{number:02d}" for number in range(30)).endswith("c11 and 18 more")
