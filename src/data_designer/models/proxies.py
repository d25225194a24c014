"""Which proxy leads to an address, as the variables of the environment say that other clients read too."""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from data_designer.errors import InvalidConfigError
from data_designer.models.addresses import server_of

_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """URL of the proxy that leads to an address; None where it is asked directly.

    `http_proxy`, `https_proxy` and `all_proxy` name proxies, `no_proxy` what is asked directly; each in lower case or,
    where that is not set, in upper case. What is on this machine's loopback is always asked directly, since no proxy
    reaches it.

    Args:
        url: of an endpoint.
        environment: variables.

    Raises:
        InvalidConfigError: the proxy is none that speaks HTTP.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    named = _variable(environment, f"{parts.scheme}_proxy") or _variable(environment, "all_proxy")
    if not named or _is_loopback(host):
        return None
    if any(_covers(one.lower(), host, port) for one in _variable(environment, "no_proxy").replace(",", " ").split()):
        return None
    proxy = named if "://" in named else f"http://{named}"
    if not proxy.lower().startswith(("http://", "https://")):
        raise InvalidConfigError(
            f"the environment leads to {server_of(url)} by way of {server_of(proxy)}, and only HTTP proxies are used: "
            "set HTTP_PROXY and HTTPS_PROXY to one, or add the host to NO_PROXY"
        )
    return proxy


def _variable(environment: Mapping[str, str], name: str) -> str:
    """Lower case counts first, also where it is set to nothing."""
    return environment.get(name, environment.get(name.upper(), "")).strip()


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry of `no_proxy` means a host: a name with all names below it, an address, a network, a port."""
    if entry == "*":
        return True
    name, _, of_port = entry.rpartition(":")
    if of_port.isdigit() and (":" not in name or name.endswith("]")):
        if int(of_port) != port:
            return False
        entry = name
    entry = entry.strip("[]")
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        pass
    name = entry.removeprefix("*").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
