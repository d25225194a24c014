"""A dataset's metadata: what it is, how it was asked for, and how far it is. As sealed JSON.

Earlier versions wrote fewer keys, and later ones may write more: what is missing has its default, and what is unknown
stays.
"""

from pydantic import BaseModel, ConfigDict

from data_designer.engine.dataset.sealed import seal, unseal
from data_designer.models.admission.budget_lease import NOTHING, Amount
from data_designer.plan.model import Geometry
from data_designer.plan.user_code import UserCode


class Metadata(BaseModel):
    """What is written of a dataset beside its data."""

    model_config = ConfigDict(extra="allow", frozen=True)

    target_num_records: int
    """Records of all batches, those included that were drawn for rejected ones."""
    requested_num_records: int
    """Records that were asked for."""
    buffer_size: int
    """Records a batch."""
    earlier_geometry: tuple[tuple[int, int], ...]
    """`target_num_records` and `buffer_size` as they were before each time that records were added."""
    seed: int
    """The seed by which all was drawn."""
    original_target_num_records: int | None = None
    """Records that were asked for at first."""
    actual_num_records: int | None = None
    """Records that are there."""
    total_num_batches: int | None = None
    """Batches that there are to be."""
    num_completed_batches: int | None = None
    """Batches that are committed."""
    dataset_name: str | None = None
    """The name that was asked for."""
    file_paths: dict[str, list[str] | dict[str, list[str]]] = {}
    """Folder to its files, in order of batch; those of processors by name."""
    config_hash: str | None = None
    """Digest of the configuration, as `DataDesignerConfig.fingerprint` gives it."""
    config_hash_algo: str | None = None
    """By which algorithm."""
    config_hash_version: int | None = None
    """In which form of the configuration."""
    seed_data: str = ""
    """Digest of the seed dataset's rows; empty where there is none."""
    preserve_dropped_columns: bool = True
    """Whether dropped columns are kept."""
    functions: dict[str, UserCode | str] = {}
    """Column to what its functions do; early versions kept a digest, which cannot be compared."""
    fingerprints: dict[str, str] = {}
    """Column to the digest of all that decides its values."""
    builder_config_sha256: str | None = None
    """Digest of `builder_config.json`."""
    integer_options: dict[str, dict[str, list[int]]] = {}
    """Judge column to its scores, to those of their options that are integers, which keys of JSON do not tell."""
    run: int = 0
    """Number of the run that wrote this."""
    run_config: dict[str, object] = {}
    """Run settings that were given."""
    simulated: bool = False
    """Whether the simulated model stood in for every model."""
    directory: str | None = None
    """The working directory, which relative paths of the configuration start from."""
    source: dict[str, str | list[str]] | None = None
    """`config` and `arguments` as the command line was given them; None where a script has made the dataset."""
    reuse: str | None = None
    """Folder of the dataset from which columns are taken, if there is one."""
    spent: Amount = NOTHING
    """What is gone of a budget, as far as it is known."""
    column_statistics: list[dict[str, object]] = []
    """Statistics of the columns, once a run has ended."""
    rejected_num_records: int | None = None
    """Records that were left out; None in what earlier versions wrote."""
    usd: float | None = None
    """What it cost so far; None where a model that was asked has no price."""
    written_at: float | None = None
    """When this was written, in seconds since the epoch."""
    stopped: str | None = None
    """Why the latest run ended before its last batch, if it did."""

    @classmethod
    def read(cls, text: bytes) -> "Metadata":
        """Read sealed JSON.

        Raises:
            DamagedError: it is not as it was written.
            pydantic.ValidationError: it lacks what is always there, or holds something else in its place.
        """
        return cls.model_validate(unseal(text))

    def written(self) -> bytes:
        """The same as sealed JSON."""
        return seal(self.model_dump(exclude_unset=True), readable=True)

    def to_dict(self) -> dict[str, object]:
        """What is written, as JSON data."""
        return self.model_dump(mode="json", exclude_unset=True)

    @property
    def ended(self) -> bool:
        """Whether the latest run came to its end, so that this says how far the dataset is."""
        return "column_statistics" in self.model_fields_set

    @property
    def geometry(self) -> Geometry:
        """Which records belong to which batch."""
        return Geometry(self.target_num_records, self.buffer_size, self.earlier_geometry)


def run_of(text: bytes) -> int:
    """Number of the run that wrote metadata, of whichever version; 0 where that cannot be read."""
    try:
        return int(unseal(text).get("run", 0))
    except (ValueError, TypeError):
        return 0
