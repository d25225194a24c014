"""The command that serves the simulated model."""

import errno
from typing import Annotated

import typer

from data_designer.cli.exits import errors_in_one_line


def serve_sim(  # noqa: PLR0913 - one parameter an option
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8100,
    seed: Annotated[int, typer.Option(help="Same seed, same replies.")] = 0,
    latency: Annotated[float, typer.Option(min=0, help="Mean seconds to a reply.")] = 0.0,
    jitter: Annotated[float, typer.Option(min=0, help="Spread of the latency, as a share of it.")] = 0.0,
    error_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of requests answered with HTTP 500.")] = 0.0,
    malformed_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of replies in the wrong form.")] = 0.0,
    reject_above: Annotated[int | None, typer.Option(min=1, help="Answer 429 above so many in flight.")] = None,
) -> None:
    """Serve the simulated model: an OpenAI-compatible endpoint that needs no model."""
    import asyncio

    from data_designer.simulated_model.server import SimulatedModel, serve

    model = SimulatedModel(
        seed=seed,
        latency=latency,
        jitter=jitter,
        error_rate=error_rate,
        malformed_rate=malformed_rate,
        reject_above=reject_above,
    )
    with errors_in_one_line(debug=False):
        try:
            asyncio.run(serve(model, host="127.0.0.1", port=port, log=False, until_stdin_closes=False))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise OSError(
                f"port {port} is taken by another process; give another --port, or 0 for a free one"
            ) from None
