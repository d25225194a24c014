"""A service, whose process has no standard streams or closed ones, makes datasets as any other does."""

import io
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

import data_designer.config as dd
from data_designer.interface import DataDesigner
from data_designer.logging import LoggingConfig, OutputConfig, configure_logging, reset_logging


def closed() -> io.StringIO:
    """A stream that was closed."""
    stream = io.StringIO()
    stream.close()
    return stream


class NotAFile:
    """What some applications put in place of a stream."""

    def write(self, _: str) -> None:
        """Take it."""


@pytest.mark.parametrize("stream", [None, closed(), NotAFile()])
def test_a_dataset_is_made_without_standard_error(
    simulated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: Any
) -> None:
    """There is nobody to show its progress to."""
    made = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias="m", model="m", provider="mine")])
    made.add_column(name="text", column_type="llm-text", model_alias="m", prompt="Anything")
    designer = DataDesigner(tmp_path, model_providers=[dd.ModelProvider(name="mine", endpoint=simulated)])
    monkeypatch.setattr(sys, "stderr", stream)
    assert designer.create(made, num_records=3).count_records() == 3


@pytest.mark.parametrize("stream", [None, closed()])
def test_what_is_logged_to_no_stream_goes_nowhere(stream: Any) -> None:
    """And breaks nothing that logs."""
    try:
        configure_logging(LoggingConfig([], [OutputConfig(stream)]))
        logging.getLogger("data_designer").warning("unheard")
    finally:
        reset_logging()
