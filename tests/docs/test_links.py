"""Links between pages, as they are read in the repository: on a site, its build looks at them too."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("[!.]*/README.md"), *sorted((ROOT / "docs").rglob("*.md"))]


def test_links_between_pages_lead_somewhere() -> None:
    """Every relative link names a file that is there, and a heading that is in it."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
            name, _, heading = link.partition("#")
            to = page.parent / name if name else page
            assert link.startswith("http") or to.is_file(), f"{page.name}: {link}"
            assert not heading or link.startswith("http") or heading in _headings(to), f"{page.name}: {link}"


@pytest.mark.parametrize("shelf", ["tutorial", "how-to", "reference", "explanation"])
def test_the_index_of_a_shelf_names_its_pages(shelf: str) -> None:
    """Whoever reads the folder finds every page of it by its index."""
    folder = ROOT / "docs" / shelf
    named = set(re.findall(r"\]\(([\w-]+\.md)\)", (folder / "index.md").read_text(encoding="utf-8")))
    assert named == {page.name for page in folder.glob("*.md")} - {"index.md"}


def _prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def _headings(page: Path) -> set[str]:
    """The names by which links find the headings of a page."""
    found = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}
