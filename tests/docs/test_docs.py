"""Documentation that runs, is current, and validates."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from docs.generate.pages import pages
from tests.docs.yaml_blocks import is_configuration

from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.interface import DataDesigner

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "data_designer"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = re.compile(r"```(python|yaml)\n(.*?)```", re.DOTALL)
WITH_CODE = [page for page in PAGES if BLOCKS.search(page.read_text(encoding="utf-8"))]
TUTORIAL = ROOT / "docs" / "tutorial"
READ_TOGETHER = {
    "tutorial": [TUTORIAL / link for link in re.findall(r"\]\(([\w-]+\.md)\)", (TUTORIAL / "index.md").read_text())],
    **{str(page.relative_to(ROOT)): [page] for page in WITH_CODE if page.parent != TUTORIAL},
}
"""What is read from page to page, in one folder: the tutorial, and every other page by itself."""


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("pages", READ_TOGETHER.values(), ids=READ_TOGETHER)
def test_the_code_of_a_page_runs(pages: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run one after another, as a reader would run them: Python, and configurations in YAML.

    `# NAME.py` begins a block that is a file.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for page in pages:
        names: dict[str, Any] = {"__name__": "page"}
        for language, block in BLOCKS.findall(page.read_text(encoding="utf-8")):
            if language == "python":
                if file := re.match(r"# (\w+)\.py\n", block):
                    Path(f"{file[1]}.py").write_text(block, encoding="utf-8")
                    sys.modules.pop(file[1], None)
                exec(compile(block, str(page), "exec"), names)  # noqa: S102 - our own documentation
            elif is_configuration(block):
                builder = DataDesignerConfigBuilder.from_config(block)
                DataDesigner(simulate=True).preview(builder, num_records=2)


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
    for path, content in pages().items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name}: run `make docs`"
