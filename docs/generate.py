"""Writes the generated parts of the documentation: `make docs`."""

import ast
import inspect
import itertools
from pathlib import Path

from data_designer.config import run_config
from data_designer.config.run_config import RunConfig

TARGET = Path(__file__).parent / "reference" / "run-config.md"


def described() -> dict[str, str]:
    """Field of RunConfig to the sentence under it in the source."""
    tree = ast.parse(inspect.getsource(run_config))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "RunConfig")
    texts: dict[str, str] = {}
    for field, text in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            texts[field.target.id] = " ".join(str(text.value.value).split())
    return texts


def page() -> str:
    """The reference page of the run settings."""
    lines = [
        "# Run settings",
        "",
        "Generated from the source by `make docs`.",
        "",
        "| field | default | meaning |",
        "|---|---|---|",
    ]
    texts = described()
    for name, field in RunConfig.model_fields.items():
        default = field.get_default(call_default_factory=True)
        default = getattr(default, "value", default)
        lines.append(f"| `{name}` | `{default}` | {texts[name]} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
