"""Ray's tokens: given where a cluster asks for one, if one lies in its usual place.

Whether a process of Ray's gives and asks for tokens is set by `RAY_AUTH_MODE`, and without that a cluster which asks
for them cannot be reached at an address that is given.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

_raylet = ray._raylet  # noqa: SLF001 - Ray gives no other access to its tokens
_KNOWS_TOKENS = hasattr(_raylet, "AuthenticationTokenLoader")
_MODE, _TOKEN, _PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


class _NeverRaisedError(Exception):
    """In place of the error of a Ray that knows no tokens."""


AuthenticationError: type[Exception] = getattr(ray.exceptions, "AuthenticationError", _NeverRaisedError)
"""A token is wanted, or is not the right one."""

_ANSWER_SECONDS = 10.0
"""How long a head may take to say whether it wants a token."""

logger = logging.getLogger(__name__)


def may_be_given() -> bool:
    """Whether the user has left it open if tokens are used, and one is there.

    It may be in `RAY_AUTH_TOKEN`, in the file at `RAY_AUTH_TOKEN_PATH` or in `~/.ray/auth_token`.
    """
    return _KNOWS_TOKENS and _MODE not in os.environ and _is_there()


def _is_there() -> bool:
    # Ray's own loader keeps a token that it has found, and then this process asks others for it, whatever the mode is.
    if os.environ.get(_TOKEN):
        return True
    try:
        path = os.environ.get(_PATH) or Path.home() / ".ray" / "auth_token"
        return bool(Path(path).read_text(encoding="utf-8").strip())
    except (OSError, RuntimeError, UnicodeError):  # There is none, or no home folder, or it cannot be read.
        return False


def give() -> None:
    """Give the token from now on, in this process and in those that it starts."""
    os.environ[_MODE] = "token"
    _raylet.Config.initialize("")  # Ray has read the variable already.


def give_where_asked(address: str) -> None:
    """Give the token if the cluster at an address asks for one. It is shown to nobody who does not.

    Args:
        address: of the cluster's head, `host:port`.
    """
    if may_be_given() and _is_asked(address):
        logger.info("Ray at %s asks for a token; it is given the one that is here", address)
        give()


def _is_asked(address: str) -> bool:
    """Whether a head refuses who shows no token. Whatever else is wrong there, connecting says it."""
    try:
        import grpc
        from ray._private.grpc_utils import init_grpc_channel
        from ray.core.generated.gcs_service_pb2 import CheckAliveRequest
        from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub
    except ImportError:  # It comes with ray[default]. Ray's own client writes what it meets to standard error.
        return _refuses(
            lambda: _raylet.GcsClient(address=address), lambda error: isinstance(error, AuthenticationError)
        )
    with init_grpc_channel(address) as channel:
        ask = NodeInfoGcsServiceStub(channel).CheckAlive
        return _refuses(
            lambda: ask(CheckAliveRequest(), timeout=_ANSWER_SECONDS),
            lambda error: isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.UNAUTHENTICATED,
        )


def _refuses(ask: Callable[[], object], is_refusal: Callable[[Exception], bool]) -> bool:
    try:
        ask()
    except Exception as error:  # noqa: BLE001 - see above
        return is_refusal(error)
    return False


def have_one() -> None:
    """Have a token for a Ray that is to be started; Ray would write one into the home folder.

    That folder may be missing, or not be there to be written.
    """
    if not _KNOWS_TOKENS or _is_there():
        return
    from ray._private.authentication.authentication_token_generator import generate_new_authentication_token

    os.environ[_TOKEN] = generate_new_authentication_token()
    _raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def as_before() -> Iterator[None]:
    """Whatever is decided about tokens inside holds no longer afterwards: the next Ray may be another one."""
    before = {name: os.environ.get(name) for name in (_MODE, _TOKEN)}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if _KNOWS_TOKENS:
            _raylet.AuthenticationTokenLoader.instance().reset_cache()
            _raylet.Config.initialize("")
