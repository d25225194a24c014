"""The command `explain`: where the time of a dataset's runs went, and what to change."""

import json
import shutil
from typing import Annotated

import typer

from data_designer.cli.arguments import Dataset, Debug
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.saying import say

_WIDEST = 120


def explain(
    dataset: Dataset,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: all accounts, columns and advice.")] = False,
    debug: Debug = False,
) -> None:
    """Say where the time of a dataset's runs went, and what to change; also of one that is being made."""
    from data_designer.interface.explain import explain as explained
    from data_designer.interface.explanation_text import lines

    with errors_in_one_line(debug=debug):
        explanation = explained(dataset)
        if as_json:
            say(json.dumps(explanation.to_dict(), allow_nan=False))
            return
        for line in lines(explanation, min(shutil.get_terminal_size((80, 24)).columns, _WIDEST)):
            say(line)
