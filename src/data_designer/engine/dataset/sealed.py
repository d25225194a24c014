"""JSON files that tell when they were changed by anything but us: a truncated or flipped one is refused, not read."""

import hashlib
import json
from typing import Any

import orjson

_SEAL = "checksum"


class DamagedError(ValueError):
    """The content is not what was written."""


def seal(content: Any, *, readable: bool = False) -> bytes:
    """JSON text of a dict or dataclass and its SHA-256."""
    plain = orjson.loads(_canonical(content))
    sealed = {**plain, _SEAL: hashlib.sha256(_canonical(plain)).hexdigest()}
    if readable:
        return json.dumps(sealed, indent=2, sort_keys=True, ensure_ascii=False).encode()
    return orjson.dumps(sealed, option=orjson.OPT_SORT_KEYS)


def unseal(text: bytes) -> dict[str, Any]:
    """The content of sealed JSON text. Raises DamagedError where it is not as it was written."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DamagedError(f"it is no JSON ({error})") from error
    if not isinstance(content, dict) or _SEAL not in content:
        raise DamagedError("it holds no checksum")
    checksum = content.pop(_SEAL)
    if checksum != hashlib.sha256(_canonical(content)).hexdigest():
        raise DamagedError("its content does not match its checksum")
    return content


def _canonical(content: Any) -> bytes:
    return orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
