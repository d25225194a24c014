"""How far a dataset is."""

from dataclasses import dataclass
from typing import Literal

from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import Totals


@dataclass(frozen=True, slots=True)
class State:
    """How far a dataset is, and in words."""

    word: Literal["complete", "running", "stopped", "empty"]
    sentence: str


def state_of(store: Store, metadata: Metadata, totals: Totals) -> State:
    """How far a dataset is."""
    batches, held = metadata.geometry.num_batches, store.is_held()
    made = f"{totals.complete:,} of {batches:,} {'batch' if batches == 1 else 'batches'} complete"
    if held:
        return State("running", f"A run is making it: {made}.")
    if totals.complete >= batches:
        return State("complete", "Every batch is complete.")
    if held is None:
        return State("running", f"A run on another machine is making it, or was ended there: {made}.")
    if not totals.generated and not totals.rejected:
        return State("empty", "No batch is complete yet. A resume goes on with it.")
    return State("stopped", f"It was stopped with {made}. A resume goes on with it.")
