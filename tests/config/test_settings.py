"""Settings that do nothing say so."""

import warnings
from typing import Any

import pytest

import data_designer.config as dd

NOTHING: list[tuple[type[Any], str, Any]] = [
    (dd.ThrottleConfig, "ceiling_overshoot", 0.3),
]


@pytest.mark.parametrize(("settings", "name", "value"), NOTHING, ids=[name for _, name, _ in NOTHING])
def test_what_does_nothing_says_so_where_it_is_set(settings: type[Any], name: str, value: Any) -> None:
    """Once, at the line that sets it: when settings are made or read, and when one is set afterwards."""
    said = f"this version does nothing with {settings.__name__}.{name}; "
    with pytest.warns(UserWarning, match=said) as made:
        settings(**{name: value})
    with pytest.warns(UserWarning, match=said) as read:
        settings.model_validate({name: value})
    with pytest.warns(UserWarning, match=said) as changed:
        setattr(settings(), name, value)
    assert [[one.filename for one in found] for found in (made, read, changed)] == [[__file__]] * 3


@pytest.mark.parametrize(("settings", "name", "value"), NOTHING, ids=[name for _, name, _ in NOTHING])
def test_a_default_needs_no_word(settings: type[Any], name: str, value: Any) -> None:
    """Whoever writes the default down is promised nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        default = getattr(settings(), name)
        assert default != value
        setattr(settings(**{name: default}), name, default)
