"""Examples that the help of a command ends with."""

START = (
    "data-designer preview reviews.yaml --simulate",
    "data-designer create reviews.yaml -n 1000",
    "data-designer resume artifacts/dataset",
)
"""For whoever asks for help with nothing else."""
_OF = {
    "create": (
        "data-designer create reviews.yaml -n 1000 -d reviews",
        "data-designer create reviews.py --simulate -- --topic tea",
        "data-designer create reviews.yaml --set 'budget={usd: 5}'",
    ),
    "preview": ("data-designer preview reviews.yaml -n 3 --simulate",),
    "validate": ("data-designer validate reviews.yaml",),
    "check_models": ("data-designer check-models reviews.yaml",),
    "resume": (
        "data-designer resume artifacts/reviews",
        "data-designer resume artifacts/reviews --set budget=null",
    ),
    "extend": (
        "data-designer extend artifacts/reviews -n 5000",
        "data-designer extend artifacts/reviews --config more_columns.yaml",
    ),
    "retry_failed": ("data-designer retry-failed artifacts/reviews --model writer=gpt-4.1",),
    "check": ("data-designer check artifacts/reviews",),
    "submit": ("data-designer submit reviews.yaml -n 100000 -o s3://bucket/sets",),
    "serve_sim": ("data-designer serve-sim --port 8100 --latency 0.5 --reject-above 16",),
}


def epilog(lines: tuple[str, ...]) -> str | None:
    """Examples as the end of a page of help, a line each; None where there are none."""
    return "\n\n".join(["Examples:", *(f"  {line}" for line in lines)]) if lines else None


def examples_of(command: str) -> str | None:
    """The end of the help of a command, by the name of its function."""
    return epilog(_OF.get(command, ()))
