"""Files of the Hugging Face hub as seeds, fetched by its own package where that is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from data_designer.config.seed_source import HuggingFaceSeedSource
from data_designer.errors import SeedReaderConfigError, SeedReaderError


@contextmanager
def fetched(source: HuggingFaceSeedSource, token: str | None) -> Iterator[list[Path]]:
    """Copies of the files that a source names, in order of their names, while they are read.

    Args:
        source: where they are.
        token: with which they are asked for; None for what the hub's package finds itself.

    Raises:
        SeedReaderConfigError: the package is not installed.
        SeedReaderError: there is no such file, or the hub cannot be reached.
    """
    try:
        from huggingface_hub import HfFileSystem
    except ImportError as error:
        raise SeedReaderConfigError(
            f"the seed dataset {source.path} is on the Hugging Face hub, which needs the package huggingface_hub: "
            "pip install huggingface_hub; or fetch it, and take LocalFileSeedSource"
        ) from error
    with TemporaryDirectory() as folder:
        try:
            hub = HfFileSystem(endpoint=source.endpoint, token=token, use_listings_cache=False)
            names = sorted(hub.glob(source.path)) if "*" in source.path else [source.path]
            copies = []
            for place, name in enumerate(names):
                # Each in a folder of its own, so that it keeps the name that messages say.
                copy = Path(folder) / str(place) / name.rpartition("/")[2]
                copy.parent.mkdir()
                hub.get_file(name, str(copy))
                copies.append(copy)
        except Exception as error:
            # Another package's code may raise anything.
            raise SeedReaderError(
                f"the seed dataset {source.path} cannot be fetched from {source.endpoint}: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not copies:
            raise SeedReaderError(f"no file of {source.endpoint} matches {source.path}")
        yield copies
