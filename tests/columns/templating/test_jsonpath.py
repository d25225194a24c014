"""The jsonpath filter."""

from typing import Any

import pytest

from data_designer.columns.templating.jsonpath import jsonpath

STORE = {"books": [{"t": "A", "p": 1}, {"t": "B", "p": 2}], "odd key": {"t": "C"}, "n": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [STORE]),
        ("$.books[0].t", ["A"]),
        ("books[1].t", ["B"]),
        ("$.books[-1].p", [2]),
        ("$.books[*].t", ["A", "B"]),
        ("$.books[0:1].t", ["A"]),
        ("$.books[0,1].p", [1, 2]),
        ("$['odd key'].t", ["C"]),
        ("$..t", ["A", "B", "C"]),
        ("$.n", [None]),
        ("$.missing.t", []),
        ("$.books.t", []),
        ("$.books[7]", []),
        ("$.*.t", ["C"]),
    ],
)
def test_a_path_lists_what_it_matches(path: str, found: list[Any]) -> None:
    """Names, indices, slices, wildcards and descent match; what is not there matches nothing."""
    assert jsonpath(STORE, path) == found


@pytest.mark.parametrize("path", ["$.books[?(@.p > 1)]", "$.", "$[", "$ .a"])
def test_an_unsupported_path_is_refused(path: str) -> None:
    """The error shows where reading stopped."""
    with pytest.raises(ValueError, match="cannot be read at"):
        jsonpath(STORE, path)
