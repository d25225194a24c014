"""The simulated validator: a verdict for each row, the same one whenever and beside whatever it is judged."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest


def judged(url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The verdicts on some rows."""
    request = urllib.request.Request(f"{url}/validate", json.dumps(body).encode())  # noqa: S310 - a loopback address
    with urllib.request.urlopen(request) as reply:  # noqa: S310
        found: list[dict[str, Any]] = json.loads(reply.read())["data"]
    return found


def test_verdicts_depend_on_their_rows_alone(simulated: str) -> None:
    """Most are valid, some are not."""
    rows = [{"n": n} for n in range(100)]
    together = judged(simulated, {"data": rows})
    assert together[40:43] == judged(simulated, {"data": rows[40:43]})
    assert 60 < sum(one["is_valid"] for one in together) < 100


def test_verdicts_have_the_form_of_a_schema(simulated: str) -> None:
    """Where one comes along."""
    items = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
    schema = {"properties": {"data": {"items": items}}}
    [one] = judged(simulated, {"data": [{"n": 1}], "output_schema": schema})
    assert set(one) == {"score", "is_valid"}


def test_what_is_no_request_is_refused(simulated: str) -> None:
    """As a service would."""
    with pytest.raises(urllib.error.HTTPError, match="400"):
        judged(simulated, {"rows": []})
