"""Object storage, asked of a server that speaks S3: what each call does, and what is said where it cannot."""

import pickle
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.loopback import free_port
from tests.object_server import DENIED, SECRET, Bucket, FaultyWay

from data_designer.errors import InvalidFilePathError
from data_designer.object_storage import ObjectPath, Objects, is_url, location, matching


@pytest.fixture
def objects(bucket: Bucket) -> Objects:
    """The objects below a folder of the bucket."""
    return Objects(ObjectPath(f"{bucket.url}/folder"))


# --- what is there ---------------------------------------------------------------------------------------------


def test_what_is_put_is_there_whole(objects: Objects, bucket: Bucket) -> None:
    """An object has the content that was put last, below the place, and can be empty."""
    assert not objects.exists("a/b")
    objects.put("a/b", b"one")
    objects.put("a/b", b"another")
    objects.put("empty", b"")
    assert (objects.read("a/b"), objects.read("empty")) == (b"another", b"")
    assert objects.exists("a/b")
    assert bucket.keys() == ["folder/a/b", "folder/empty"]


def test_a_name_that_is_a_folder_is_no_object(objects: Objects) -> None:
    """What only begins a name does not exist, and cannot be read."""
    objects.put("a/b", b"one")
    assert not objects.exists("a")
    with pytest.raises(FileNotFoundError, match="folder/a is missing"):
        objects.read("a")


def test_a_copy_has_the_content_and_replaces_what_was_there(objects: Objects) -> None:
    """The storage copies by itself; what is not there cannot be copied."""
    objects.put("old", b"content")
    objects.put("new", b"before")
    objects.copy("old", "new")
    assert (objects.read("old"), objects.read("new")) == (b"content", b"content")
    with pytest.raises(FileNotFoundError, match="gone is missing"):
        objects.copy("gone", "new")


def test_what_is_removed_is_gone(objects: Objects, bucket: Bucket) -> None:
    """One, several, and some that are not there: nothing of them is left, others stay."""
    for name in ("a", "b", "c/d", "e"):
        objects.put(name, b"")
    objects.remove(["a"])
    objects.remove(["b", "missing", "c/d"])
    objects.remove(["missing"])
    objects.remove(["missing", "too"])
    assert bucket.keys() == ["folder/e"]


def test_folders_are_listed_and_walked(objects: Objects, bucket: Bucket) -> None:
    """`list` gives what is in a folder, `walk` all that is below it, both sorted; nothing of other folders."""
    for name in ("b/2", "b/1/x", "a", "bb", "b.log"):
        objects.put(name, b"")
    bucket.put("folder2/other", b"")
    assert objects.list("") == ["a", "b", "b.log", "bb"]
    assert objects.list("b") == ["1", "2"]
    assert objects.walk("b") == ["b/1/x", "b/2"]
    assert objects.walk("") == ["a", "b.log", "b/1/x", "b/2", "bb"]
    assert objects.sizes("b") == {name: len(objects.read(name)) for name in objects.walk("b")}
    assert (objects.list("missing"), objects.walk("missing"), objects.sizes("missing")) == ([], [], {})


def test_a_file_is_uploaded_as_it_is(objects: Objects, bucket: Bucket, tmp_path: Path) -> None:
    """Also one that is sent in several parts."""
    content = bytes(range(256)) * (48 << 10)
    (tmp_path / "large").write_bytes(content)
    objects.upload("there", tmp_path / "large")
    assert bucket.content("folder/there") == content


def test_several_files_match_a_pattern(bucket: Bucket) -> None:
    """`*` stands for anything in the last part of a URL; without one, the URL stands for itself."""
    for key in ("s/b.csv", "s/a.csv", "s/a.jsonl", "s/more/c.csv"):
        bucket.put(key, b"")
    found = [str(place) for place in matching(f"{bucket.url}/s/*.csv")]
    assert found == [f"{bucket.url}/s/a.csv", f"{bucket.url}/s/b.csv"]
    assert list(matching(f"{bucket.url}/s/none*")) == []
    assert list(matching(f"{bucket.url}/gone.csv")) == [ObjectPath(f"{bucket.url}/gone.csv")]


@pytest.mark.parametrize("name", ["50% of #1", "a%20b", "späte Ernte", "x[1]&<y>", "~.tmp", "it's+so"])
def test_names_stand_for_themselves(bucket: Bucket, name: str) -> None:
    """Whatever would mean something else in a URL is part of the name, in folders too."""
    objects = Objects(ObjectPath(f"{bucket.url}/{name}"))
    objects.put(name, b"content")
    objects.copy(name, f"{name}/2")
    assert bucket.keys() == sorted([f"{name}/{name}", f"{name}/{name}/2"])
    assert objects.walk("") == [name, f"{name}/2"]
    assert objects.read(name) == b"content"
    objects.remove([name, f"{name}/2"])
    assert bucket.keys() == []


# --- made once -------------------------------------------------------------------------------------------------


def test_of_many_that_make_the_same_object_one_does(bucket: Bucket) -> None:
    """Sixteen threads with storages of their own: exactly one is told that it did, and its content is there."""
    together = threading.Barrier(16)

    def make(number: int) -> bool:
        mine = Objects(ObjectPath(f"{bucket.url}/folder"))
        together.wait(60)
        return mine.create("name", b"%d" % number)

    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(make, range(16)))
    assert made.count(True) == 1
    assert bucket.content("folder/name") == b"%d" % made.index(True)


def test_who_made_an_object_is_told_so_though_the_answer_was_lost(objects: Objects, way: FaultyWay) -> None:
    """The request is tried again and finds what it made itself; to whoever comes later the name is taken."""
    way.lose_answer()
    assert objects.create("name", b"mine") is True
    assert [asked.method for asked in way.asked].count("PUT") == 2
    assert objects.create("name", b"another's") is False
    assert objects.read("name") == b"mine"


def test_who_was_too_late_is_told_so_though_the_answer_was_lost(objects: Objects, way: FaultyWay) -> None:
    """An answer that is lost makes nobody the owner of what another made."""
    objects.put("name", b"another's")
    way.lose_answer()
    assert objects.create("name", b"mine") is False
    assert objects.read("name") == b"another's"


LOST: dict[str, tuple[Callable[[Objects], object], list[str]]] = {
    "put": (lambda objects: objects.put("new", b"1"), ["new", "old"]),
    "copy": (lambda objects: objects.copy("old", "new"), ["new", "old"]),
    "remove": (lambda objects: objects.remove(["old"]), []),
    "remove several": (lambda objects: objects.remove(["old", "missing"]), []),
}


@pytest.mark.parametrize("act", LOST)
def test_what_was_done_and_not_answered_is_done(objects: Objects, way: FaultyWay, act: str) -> None:
    """Where an answer is lost the request is tried again, which changes nothing more."""
    objects.put("old", b"1")
    change, left = LOST[act]
    way.lose_answer()
    change(objects)
    assert objects.walk("") == left


@pytest.mark.parametrize("outage", ["refused", "unreachable"])
def test_a_storage_that_comes_back_is_waited_for(objects: Objects, way: FaultyWay, outage: str) -> None:
    """A request goes through once the storage takes it."""
    with ThreadPoolExecutor(1) as threads:
        with way.refusing() if outage == "refused" else way.unreachable():
            putting = threads.submit(objects.put, "name", b"content")
            with pytest.raises(TimeoutError):
                putting.result(0.3)
        putting.result(60)
    assert objects.read("name") == b"content"


# --- refused ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_named() -> None:
    """What cannot be written says which bucket is missing; there is nothing in it."""
    objects = Objects(ObjectPath("s3://no-such-bucket-here/folder"))
    with pytest.raises(OSError, match="s3://no-such-bucket-here/folder/name: there is no such bucket; make it first"):
        objects.put("name", b"")
    with pytest.raises(OSError, match="no such bucket"):
        objects.read("name")
    with pytest.raises(OSError, match="no such bucket"):
        objects.list("")


ACTS: dict[str, Callable[[Objects], object]] = {
    "put": lambda objects: objects.put("name", b""),
    "create": lambda objects: objects.create("name", b""),
    "read": lambda objects: objects.read("name"),
    "exists": lambda objects: objects.exists("name"),
    "copy": lambda objects: objects.copy("name", "new"),
    "remove": lambda objects: objects.remove(["name"]),
    "remove several": lambda objects: objects.remove(["name", "other"]),
    "list": lambda objects: objects.list("name"),
    "walk": lambda objects: objects.walk("name"),
    "sizes": lambda objects: objects.sizes("name"),
}


@pytest.mark.parametrize("act", ACTS)
def test_what_is_denied_is_said_with_what_to_do(objects: Objects, way: FaultyWay, act: str) -> None:
    """HTTP 403: the place, and where credentials come from; never one of them."""
    with (
        way.refusing(403, "AccessDenied"),
        pytest.raises(PermissionError, match="folder/name: access is denied; give this process") as caught,
    ):
        ACTS[act](objects)
    assert SECRET not in str(caught.value)


def test_a_process_without_credentials_is_told_so(
    objects: Objects, way: FaultyWay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the environment nor the machine has any."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    # Whatever this machine is, it does not say which role it has.
    monkeypatch.setenv("HTTP_PROXY", way.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with way.refusing(404, "NotFound"), pytest.raises(OSError, match="no credentials were found .*AWS_ACCESS_KEY_ID"):
        objects.put("name", b"")


def test_a_storage_that_refuses_for_good_says_why_without_secrets(objects: Objects, way: FaultyWay) -> None:
    """HTTP 400 is tried once; the message is one line with the place and the reason."""
    with way.refusing(*DENIED), pytest.raises(OSError, match="folder/name: .*") as caught:
        objects.put("name", b"")
    assert len(way.asked) == 1
    said = str(caught.value)
    assert "\n" not in said
    assert SECRET not in said


# --- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        (Path("s3://bucket/a/b"), "s3://bucket/a/b"),
        ("S3A://bucket/a/", "s3a://bucket/a"),
        ("gs://bucket", "gs://bucket"),
        ("az:/container/a b#c", "az://container/a b#c"),
        (ObjectPath("s3://bucket/a"), "s3://bucket/a"),
    ],
)
def test_a_url_is_a_place_in_object_storage(given: "str | Path | ObjectPath", url: str) -> None:
    """Also one that pathlib has taken a slash from; the name of the bucket is as it was given."""
    assert is_url(given)
    assert location(given) == ObjectPath(url)


@pytest.mark.parametrize("given", ["artifacts", "/tmp/s3", "a:b/c", "./s3:", "s3", "~/x"])  # noqa: S108 - a name only
def test_what_is_no_url_is_a_path(given: str) -> None:
    """It becomes absolute."""
    assert not is_url(given)
    assert location(given) == Path(given).absolute()


REFUSED = {
    "ftp://host/x": "ftp://host cannot be used: take one of s3://, s3a://, gs://, az://, or a path",
    "file:///x": "cannot be used",
    "s3://": "s3:// names no bucket: write s3://bucket/folder",
    "s3:///x": "names no bucket",
    f"s3://key:{SECRET}@bucket/x": "holds credentials",
    f"ftp://key:{SECRET}@host/x": "holds credentials",
    f"az://container/x?sig={SECRET}": "holds credentials or a query",
}


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_of_nothing_that_can_be_used_is_refused(url: str) -> None:
    """Another scheme, no bucket, or a secret, which is not repeated."""
    with pytest.raises(InvalidFilePathError, match=re.escape(REFUSED[url])) as caught:
        location(url)
    assert SECRET not in str(caught.value)


def test_a_place_joins_and_prints_as_a_path_does() -> None:
    """Its parts, its siblings, its URL."""
    place = location("s3://bucket/a") / "b.tar.gz"
    assert isinstance(place, ObjectPath)
    assert f"{place}" == "s3://bucket/a/b.tar.gz"
    assert (place.name, place.suffix, place.parent) == ("b.tar.gz", ".gz", ObjectPath("s3://bucket/a"))
    assert place.with_name("c") == ObjectPath("s3://bucket/a/c")
    assert place.parent.parent / Path("x/y") == ObjectPath("s3://bucket/x/y")


def test_credentials_do_not_travel(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process gets is the place: it asks with what its own environment says."""
    objects.put("name", b"content")
    packed = pickle.dumps(objects)
    assert SECRET.encode() not in packed
    there: Objects = pickle.loads(packed)  # noqa: S301 - our own
    assert there.read("name") == b"content"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "false")
    with pytest.raises(OSError, match="folder/name: "):
        pickle.loads(packed).read("name")  # noqa: S301 - our own
