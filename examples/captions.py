"""Captions: a model is shown pictures that lie beside the seed file, and another judges what it says of them.

Run it with `data-designer create examples/captions.py -n 12`, or as a script. It needs no key and no network: its
models are simulated. Name another provider, and a model that sees, to use real ones.
"""

import csv
import struct
import tempfile
import zlib
from pathlib import Path

import data_designer.config as dd
from data_designer.interface import DataDesigner

COLOURS = {"tomato": (255, 99, 71), "gold": (255, 215, 0), "seagreen": (46, 139, 87), "navy": (0, 0, 128)}
SIDE = 32
"""Pixels."""


def square(colour: tuple[int, int, int]) -> bytes:
    """A PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(colour) * SIDE) * SIDE
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def pictures() -> Path:
    """A seed file whose rows name pictures beside it."""
    folder = Path(tempfile.gettempdir()) / "data-designer-captions"
    folder.mkdir(exist_ok=True)
    for name, colour in COLOURS.items():
        (folder / f"{name}.png").write_bytes(square(colour))
    with (folder / "seed.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("colour", "picture"), *((name, f"{name}.png") for name in COLOURS)])
    return folder / "seed.csv"


def load_config_builder() -> dd.DataDesignerConfigBuilder:
    """Declare the dataset."""
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(alias="eye", model="sim-vision?latency=0.05", provider="simulated"),
            dd.ModelConfig(alias="judge", model="sim-judge?latency=0.05", provider="simulated"),
        ]
    )
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(pictures())))
    shown = [dd.ImageContext(column_name="picture")]
    builder.add_column(
        name="caption",
        column_type="llm-text",
        model_alias="eye",
        prompt="Describe this picture in one sentence.",
        multi_modal_context=shown,
    )
    builder.add_column(
        name="verdict",
        column_type="llm-judge",
        model_alias="judge",
        prompt="Does this caption fit the picture? {{ caption }}",
        multi_modal_context=shown,
        scores=[dd.Score(name="fit", description="Is it right?", options={0: "no", 1: "in part", 2: "yes"})],
    )
    return builder


if __name__ == "__main__":
    designer = DataDesigner()
    results = designer.create(load_config_builder(), num_records=12, dataset_name="captions")
    results.display_sample_record()
    print(f"{results.count_records()} records in {results.artifact_storage.base_dataset_path}")
