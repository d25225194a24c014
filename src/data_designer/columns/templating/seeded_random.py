"""What `random` gives in a template: the same for a column of a record, whenever and wherever it is rendered.

Else a resume would ask for another prompt than was paid for. Whoever renders says for which record; what is drawn until
then is drawn from that record's own stream.
"""

import random
import threading
from collections.abc import Sequence

from jinja2 import pass_environment
from jinja2.environment import Environment


class _Drawing(threading.local):
    """Renderings of one thread follow each other, so that there is one record at a time."""

    def __init__(self) -> None:
        self.of = (0, 0)
        self.stream: random.Random | None = None


_drawing = _Drawing()


def draw_for(stream: int, record: int) -> None:
    """What is rendered next is of a record.

    Args:
        stream: key of the seed and the column; see `random_streams.key`.
        record: its index.
    """
    _drawing.of, _drawing.stream = (stream, record), None


@pass_environment
def chosen(environment: Environment, items: Sequence[object]) -> object:
    """One of some items: the filter `random`."""
    if _drawing.stream is None:
        stream, record = _drawing.of
        _drawing.stream = random.Random((stream << 64) + record)
    try:
        return _drawing.stream.choice(items)
    except IndexError:
        return environment.undefined("there is nothing to choose from")
