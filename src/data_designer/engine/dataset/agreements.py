"""What all cells of a column share, in whichever process and run they are made: whoever says it first decides."""

from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import AGREEMENTS


def agreed(files: Files, fingerprint: str, said: int) -> int:
    """The number that is the column's from now on: this one, if none was said before. Raises OSError.

    Args:
        files: the dataset.
        fingerprint: that of the column's step.
        said: a number.
    """
    name = f"{AGREEMENTS}/{fingerprint}"
    if files.create(name, str(said).encode()):
        return said
    return int(files.read(name))
