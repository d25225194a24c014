"""Which proxy leads to an address."""

import pytest

from data_designer.errors import InvalidConfigError
from data_designer.models.proxies import proxy_for

PROXY = "http://proxy:3128"
BOTH = {"http_proxy": PROXY, "https_proxy": "http://other:3128"}


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "http://h/v1", None),
        (BOTH, "http://h/v1", PROXY),
        (BOTH, "https://h/v1", "http://other:3128"),
        ({"HTTP_PROXY": PROXY}, "http://h/v1", PROXY),
        ({"HTTP_PROXY": PROXY}, "https://h/v1", None),
        ({"HTTPS_PROXY": PROXY}, "https://h:8443/v1", PROXY),
        ({"HTTP_PROXY": "http://upper", "http_proxy": "http://lower"}, "http://h", "http://lower"),
        ({"HTTP_PROXY": PROXY, "http_proxy": ""}, "http://h", None),
        ({"ALL_PROXY": PROXY}, "https://h", PROXY),
        ({"all_proxy": "http://all", "https_proxy": PROXY}, "https://h", PROXY),
        ({"http_proxy": "proxy:3128"}, "http://h", PROXY),
        ({"http_proxy": " http://u:p@proxy:3128 "}, "http://h", "http://u:p@proxy:3128"),
        (BOTH, "no address", None),
        (BOTH, "http://h:port/v1", None),
    ],
)
def test_the_variables_of_the_environment_name_it(variables: dict[str, str], url: str, proxy: str | None) -> None:
    """By scheme; lower case counts first, also where it is set to nothing."""
    assert proxy_for(url, variables) == proxy


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "http://127.9.9.9/v1",
        "http://localhost/v1",
        "http://[::1]:1/v1",
        "http://a.localhost",
    ],
)
def test_what_is_on_the_loopback_is_asked_directly(url: str) -> None:
    """No proxy reaches it, and many people set no NO_PROXY."""
    assert proxy_for(url, BOTH) is None


@pytest.mark.parametrize(
    ("entries", "url", "is_direct"),
    [
        ("*", "http://h", True),
        ("h", "http://h:8000/v1", True),
        ("H.corp", "http://h.CORP", True),
        ("corp", "http://h.corp", True),
        (".corp", "http://h.corp", True),
        ("*.corp", "http://h.corp", True),
        (".corp", "http://corp", True),
        ("corp", "http://uncorp", False),
        ("h.corp", "http://corp", False),
        ("h:8000", "http://h:8000", True),
        ("h:8000", "http://h:8001", False),
        ("h:80", "http://h/v1", True),
        ("h:443", "https://h/v1", True),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.1.2.3", "http://10.1.2.3:80", True),
        ("10.1.2.3:81", "http://10.1.2.3:80", False),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.0.0.0/8", "http://h10", False),
        ("fd00::/8", "http://[fd00::1]:8000/v1", True),
        ("fd00::1", "http://[fd00::1]:8000/v1", True),
        ("[fd00::1]:8000", "http://[fd00::1]:8000/v1", True),
        ("[fd00::1]:8001", "http://[fd00::1]:8000/v1", False),
        ("a, b ,,h", "http://h", True),
        ("a b h", "http://h", True),
        ("a,b", "http://h", False),
        (",", "http://h", False),
        (".", "http://h", False),
        ("", "http://h", False),
    ],
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_says_what_is_asked_directly(name: str, entries: str, url: str, is_direct: bool) -> None:
    """Names with all names below them, addresses, networks, ports, everything."""
    assert proxy_for(url, {**BOTH, name: entries}) == (None if is_direct else PROXY)


@pytest.mark.parametrize("proxy", ["socks5://u:hunter22@proxy:1080", "ftp://u:hunter22@proxy"])
def test_a_proxy_of_another_kind_is_refused_by_name(proxy: str) -> None:
    """It is said which variables to look at; hosts that need none are asked all the same."""
    with pytest.raises(InvalidConfigError, match="only HTTP proxies are used: set HTTP_PROXY") as caught:
        proxy_for("http://h/v1", {"ALL_PROXY": proxy})
    assert "hunter22" not in str(caught.value)
    assert proxy_for("http://h/v1", {"ALL_PROXY": proxy, "NO_PROXY": "h"}) is None
