"""Documentation that runs, is current, and validates."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "data_designer"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_CODE = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run one after another, as a reader would run them."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)  # noqa: S102 - our own documentation


def test_modules_that_pages_name_exist() -> None:
    """Paths of Python files start at the package, at the repository or at the plugin of an example."""
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r"`(?!my_columns/)([\w/]+/\w+\.py)", text):
            assert (PACKAGE / path).exists() or (ROOT / path).exists(), f"{page.name}: {path}"
        for module in re.findall(r"\b(?:data_designer|tests)(?:\.(?!py\b)[a-z_]+)+", text):
            found = [ROOT / base / module.replace(".", "/") for base in ("src", ".")]
            assert any(path.with_suffix(".py").exists() or path.is_dir() for path in found), f"{page.name}: {module}"


def test_the_generated_pages_are_current() -> None:
    """`make docs` would change nothing."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for path, content in generate.pages().items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name}: run `make docs`"
