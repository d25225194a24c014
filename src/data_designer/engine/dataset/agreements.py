"""What all cells of a column share, in whichever process and run they are made: whoever says it first decides."""

import hashlib

from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import AGREEMENTS


def agreed(files: Files, column: str, said: int) -> int:
    """The number that is the column's from now on: this one, if none was said before. Raises OSError.

    Args:
        files: the dataset.
        column: its name.
        said: a number.
    """
    digest = hashlib.blake2b(column.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    name = f"{AGREEMENTS}/{digest}"
    if files.create(name, str(said).encode()):
        return said
    return int(files.read(name))
