"""What may hold a run up, as its accounts show it, and the setting that would change it.

Each function looks for one thing and says nothing where it is not there; a further one is a function in this list.
"""

from collections.abc import Callable, Iterator

from data_designer.engine.observe.bottlenecks.batches import batches, cpu, disk
from data_designer.engine.observe.bottlenecks.ends import engine, startup, tail
from data_designer.engine.observe.bottlenecks.evidence import Evidence, Finding
from data_designer.engine.observe.bottlenecks.models import down, first_reply, held_back, refused, too_few_slots

FINDERS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    too_few_slots,
    refused,
    held_back,
    batches,
    disk,
    cpu,
    tail,
    first_reply,
    down,
    startup,
    engine,
)
"""What is looked for."""
