"""Object storage: places that URLs name, and the few things that are asked of them.

`s3://bucket/key` (and what else speaks S3), `gs://bucket/key` and `az://container/key`. Credentials, region and
endpoint come from the environment of the process: the variables of the provider's own tools (`AWS_ACCESS_KEY_ID`,
`AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, …), or the identity of the machine or Pod.
"""

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from data_designer.errors import InvalidFilePathError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

Result = TypeVar("Result")

SCHEMES = ("s3", "s3a", "gs", "az")
_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):/{1,2}")
"""Also with one slash, which is what pathlib makes of a URL."""
_WAIT = timedelta(seconds=30)
"""How long a request may be tried again; whoever asked decides about more."""


@dataclass(frozen=True, slots=True)
class ObjectPath:
    """A place in object storage. Joins and prints as a path does; `open`, pandas and pyarrow take it as its URL."""

    url: str

    def __str__(self) -> str:
        return self.url

    def __fspath__(self) -> str:
        return self.url

    def __truediv__(self, name: "str | os.PathLike[str]") -> "ObjectPath":
        return ObjectPath(f"{self.url}/{os.fspath(name)}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.url.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return Path(self.name).suffix

    @property
    def parent(self) -> "ObjectPath":
        """All but the last part."""
        return ObjectPath(self.url.rpartition("/")[0])

    def with_name(self, name: str) -> "ObjectPath":
        """Its sibling of that name."""
        return self.parent / name


Location = Path | ObjectPath
"""Where something is: on a file system, or in object storage."""


def is_url(place: "str | os.PathLike[str]") -> bool:
    """Whether a place is named by a URL, and so not on a file system of this machine."""
    return _URL.match(os.fspath(place)) is not None


def location(place: "str | os.PathLike[str]") -> Location:
    """A place by its URL or its path, which becomes absolute.

    Raises:
        InvalidFilePathError: it is a URL of something that cannot be written, or one that holds a secret.
    """
    text = os.fspath(place)
    found = _URL.match(text)
    if found is None:
        return Path(text).absolute()
    scheme, rest = found.group(1).lower(), text[found.end() :].rstrip("/")
    bucket = rest.partition("/")[0]
    if "@" in bucket or "?" in rest:
        raise InvalidFilePathError(
            f"the {scheme}:// URL holds credentials or a query, which logs would show: give them by the environment"
        )
    if scheme not in SCHEMES:
        listed = ", ".join(f"{one}://" for one in SCHEMES)
        raise InvalidFilePathError(f"{scheme}://{bucket} cannot be used: take one of {listed}, or a path")
    if not bucket:
        raise InvalidFilePathError(f"{text} names no bucket: write {scheme}://bucket/folder")
    return ObjectPath(f"{scheme}://{rest}")


class Objects:
    """What is below a place in object storage; every name is relative to it.

    Every call blocks, and raises OSError where the storage refuses or cannot be reached.
    """

    def __init__(self, place: ObjectPath) -> None:
        self.place = place
        self._opened: ObjectStore | None = None

    def __str__(self) -> str:
        return self.place.url

    def __reduce__(self) -> "tuple[type[Objects], tuple[ObjectPath]]":
        # Other processes have an environment, and so credentials, of their own.
        return Objects, (self.place,)

    def put(self, name: str, content: bytes) -> None:
        """Make an object, or replace it: whole or not at all."""
        import obstore

        self._ask(name, lambda store: obstore.put(store, name, content))

    def upload(self, name: str, file: Path) -> None:
        """Make an object, or replace it, from a file of any size."""
        import obstore

        self._ask(name, lambda store: obstore.put(store, name, file))

    def create(self, name: str, content: bytes) -> bool:
        """Make an object only if there is none of that name; says whether it did."""
        import obstore

        try:
            self._ask(name, lambda store: obstore.put(store, name, content, mode="create"))
        except FileExistsError:
            # The answer to an earlier try of the same request may have been lost.
            with suppress(FileNotFoundError):
                return self.read(name) == content
            return False
        return True

    def read(self, name: str) -> bytes:
        """The content of an object. Raises FileNotFoundError where it is missing."""
        import obstore

        return self._ask(name, lambda store: obstore.get(store, name).bytes().to_bytes())

    def download(self, name: str, file: Path) -> None:
        """The content of an object of any size as a file. Raises FileNotFoundError where it is missing."""
        import obstore

        def download(store: "ObjectStore") -> None:
            with file.open("wb") as out:
                for piece in obstore.get(store, name):
                    out.write(piece)

        self._ask(name, download)

    def exists(self, name: str) -> bool:
        """Whether there is an object of that name."""
        import obstore

        try:
            self._ask(name, lambda store: obstore.head(store, name))
        except FileNotFoundError:
            return False
        return True

    def copy(self, old: str, new: str) -> None:
        """Make an object with the content of another, which the storage does by itself."""
        import obstore

        self._ask(old, lambda store: obstore.copy(store, old, new))

    def remove(self, names: Sequence[str]) -> None:
        """Remove objects, at least one name; those that are missing are no error."""
        import obstore

        wanted = names[0] if len(names) == 1 else list(names)
        with suppress(FileNotFoundError):
            self._ask(names[0], lambda store: obstore.delete(store, wanted))

    def walk(self, folder: str) -> list[str]:
        """Names of all objects below a folder, sorted."""
        return [*self.sizes(folder)]

    def sizes(self, folder: str) -> dict[str, int]:
        """The same names, each with the size of its object in bytes: one request a thousand objects."""
        import obstore

        return self._ask(
            folder,
            lambda store: dict(
                sorted((one["path"], one["size"]) for chunk in obstore.list(store, folder or None) for one in chunk)
            ),
        )

    def list(self, folder: str) -> list[str]:
        """Names of what is in a folder, sorted; none where there is nothing."""
        import obstore

        found = self._ask(folder, lambda store: obstore.list_with_delimiter(store, folder or None))
        paths = [*found["common_prefixes"], *(one["path"] for one in found["objects"])]
        return sorted(path.rpartition("/")[2] for path in paths)

    def _store(self) -> "ObjectStore":
        if self._opened is None:
            from obstore.store import from_url

            scheme, _, rest = self.place.url.partition("://")
            # A URL it becomes only here: elsewhere `#` and `%` stand for themselves.
            self._opened = from_url(
                f"{scheme}://{quote(rest)}", retry_config={"retry_timeout": _WAIT, "max_retries": 8}
            )
        return self._opened

    def _ask(self, name: str, request: "Callable[[ObjectStore], Result]") -> Result:
        from obstore.exceptions import AlreadyExistsError, BaseError

        where = f"{self.place}/{name}"
        try:
            return request(self._store())
        except FileNotFoundError as error:
            if _NO_BUCKET in str(error):
                raise _refusal(where, error) from error
            raise FileNotFoundError(f"{where} is missing") from error
        except AlreadyExistsError as error:
            raise FileExistsError(f"{where} is there already") from error
        except BaseError as error:
            raise _refusal(where, error) from error


_CREDENTIALS = (
    "give this process credentials by its environment (AWS_ACCESS_KEY_ID and its like), or the machine a role"
)
_NO_BUCKET = "NoSuchBucket"
_OF_THE_MACHINE = "169.254."
"""Where there are no credentials, the machine is asked for those of its role at such an address."""
_DENIED = ("401 Unauthorized", "403 Forbidden")


def _refusal(where: str, error: Exception) -> OSError:
    """What a storage refuses, in words for the user: its own are not the same for all requests."""
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    said, first_line = str(error), str(error).partition("\n")[0]
    if _OF_THE_MACHINE in said:
        return OSError(f"{where}: no credentials were found ({first_line}); {_CREDENTIALS}")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or any(one in said for one in _DENIED):
        return PermissionError(f"{where}: access is denied; {_CREDENTIALS}")
    if _NO_BUCKET in said:
        return OSError(f"{where}: there is no such bucket; make it first")
    return OSError(f"{where}: {first_line}")


def matching(pattern: str) -> Iterator[ObjectPath]:
    """Objects whose URL matches a pattern with `*` in its last part, sorted; `pattern` itself where it has none."""
    place = location(pattern)
    assert isinstance(place, ObjectPath)
    if "*" not in place.name:
        yield place
        return
    for name in Objects(place.parent).list(""):
        if fnmatch.fnmatchcase(name, place.name):
            yield place.parent / name
