"""The command that lists what an endpoint serves."""

from typing import Annotated

import typer

from data_designer.cli.arguments import Debug
from data_designer.cli.exits import errors_in_one_line
from data_designer.cli.loading import designer_for
from data_designer.cli.saying import say


def models(
    provider: Annotated[str, typer.Argument(help="Name of a provider, or the URL of an endpoint: http://host:8000/v1")],
    debug: Debug = False,
) -> None:
    """List the models that an endpoint says it serves, one a line."""
    with errors_in_one_line(debug=debug):
        found = designer_for("artifacts", None, simulate=False).list_served_models(provider)
        for name in found:
            say(name)
        if not found:
            say(f"{provider} lists no model", err=True)
