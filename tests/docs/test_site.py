"""The documentation as a site: it is built without a warning, its links lead somewhere, and it needs no network."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest
from tests.browser import Page, browser, found

pytestmark = pytest.mark.xdist_group("site")  # The site is built once.

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PROGRAM = found()
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src"}
"""Elements that a browser fetches something for, and where it says from where."""


class Html(HTMLParser):
    """What a page of the site has: anchors, links, and addresses from which it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element is there for."""
        given = {name: value for name, value in attrs if value is not None}
        if "id" in given:
            self.anchors.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if LOADS.get(tag, "") in given:
            self.loads.append(given[LOADS[tag]])


@pytest.fixture(scope="module")
def site(processes: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs-site` does."""
    folder = tmp_path_factory.mktemp("site")
    options = ["-q", "-W", "--keep-going", "-c", "docs", "-d", str(folder / "doctrees"), "-b", "html"]
    command = [sys.executable, "-m", "sphinx", *options, ".", str(folder / "html")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Html]:
    """Its pages."""
    return {path: Html(path) for path in sorted(site.rglob("*.html"))}


@pytest.fixture(scope="module")
def tab(processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab of a browser."""
    if PROGRAM is None:
        pytest.skip("this machine has no Chromium (apt-get install chromium)")
    with browser(PROGRAM, tmp_path_factory.mktemp("browser")) as page:
        yield page


def test_every_page_is_on_it(site: Path) -> None:
    """Whatever page lies in a shelf is built, and can be reached from the start by its contents."""
    built = {path.relative_to(site / "docs").with_suffix(".md") for path in (site / "docs").rglob("*.html")}
    written = {path.relative_to(DOCS) for path in DOCS.rglob("*.md")}
    assert built == written
    start = Html(site / "docs" / "index.html")
    assert {page.with_suffix(".html").as_posix() for page in written} - {"index.html"} <= set(start.links)


def test_its_links_lead_somewhere(pages: dict[Path, Html]) -> None:
    """Every link that stays inside names a file that is there, and an anchor that this one has."""
    dead = []
    for path, page in pages.items():
        for link in page.links:
            name, _, anchor = link.partition("#")
            if ":" in name:
                continue
            to = (path.parent / unquote(name)).resolve() if name else path
            whole = to.is_file() and (not anchor or to not in pages or unquote(anchor) in pages[to].anchors)
            if not whole:
                dead.append(f"{path.name}: {link}")
    assert dead == []


def test_it_loads_nothing_from_elsewhere(site: Path, pages: dict[Path, Html]) -> None:
    """Scripts, styles and pictures are files of the site."""
    addresses = {(path, load) for path, page in pages.items() for load in page.loads if load != "#"}
    assert [load for path, load in addresses if not (path.parent / load.partition("?")[0]).is_file()] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*|@import[^;]*//[^;]*", styles) == []


def test_a_word_is_found_in_it_without_a_server(site: Path, tab: Page) -> None:
    """The search of a site that is opened as a file finds a page by a word of its text, and complains of nothing."""
    tab.size(1400, 900)
    tab.open(site / "search.html", "q=splitmix64")
    tab.until("document.querySelector('#search-results ul.search a')")
    found = tab.run("[...document.querySelectorAll('#search-results a')].map((one) => one.href)")
    assert any("0002-counter-based-streams" in address for address in found)
    assert tab.complaints == []
    assert all(address.startswith(("file:", "data:")) for address in tab.asked_for)


@pytest.mark.parametrize("page", ["docs/explanation/rooms.html", "docs/how-to/real-endpoints.html", "CHANGELOG.html"])
def test_a_page_fits_a_phone(page: str, site: Path, tab: Page) -> None:
    """Only tables, code and diagrams scroll sideways; the page itself does not."""
    tab.size(390, 900)
    tab.open(site / page)
    assert tab.run("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_and_its_diagrams_follow_light_and_dark(scheme: str, site: Path, tab: Page) -> None:
    """What is drawn has the colours of the page: words stand out from what is behind them."""
    tab.size(1400, 900)
    tab.prefer(prefers_color_scheme=scheme)
    tab.open(site / "docs/explanation/rooms.html")
    brightness = "((css) => css.match(/\\d+/g).slice(0, 3).reduce((sum, one) => sum + Number(one), 0))"
    style = "(name, what) => getComputedStyle(document.querySelector(name))[what]"
    page = tab.run(f"{brightness}(({style})('body', 'backgroundColor'))")
    box = tab.run(f"{brightness}(({style})('.diagram .box', 'fill'))")
    words = tab.run(f"{brightness}(({style})('.diagram text', 'fill'))")
    is_dark = scheme == "dark"
    assert (page < 200, box < 200, words > 500) == (is_dark, is_dark, is_dark)


def test_diagrams_are_drawn(pages: dict[Path, Html]) -> None:
    """Each block of Mermaid is a picture in its page, with every word that is in it."""
    page = next(path for path in pages if path.name == "rooms.html").read_text(encoding="utf-8")
    assert page.count('class="diagram"') == 2
    for words in ("engine/scheduling", "simulated_model", "reply, written to the journal", "publish: rename, receipt"):
        assert f">{words}</text>" in page


def test_what_a_diagram_cannot_be_drawn_of_is_an_error() -> None:
    """A line that is not understood is named, not left out."""
    drawn = _mermaid().drawn
    with pytest.raises(ValueError, match=r"graph: a -\.-> b"):
        drawn("graph TD\n  a -.-> b")
    with pytest.raises(ValueError, match="sequence: Note over A: x"):
        drawn("sequenceDiagram\n  participant A as a\n  Note over A: x")
    with pytest.raises(ValueError, match="pie"):
        drawn("pie\n  x")


def test_arrows_point_down() -> None:
    """Every box of a graph is below those that point to it, and no two boxes of a row lie on each other."""
    picture = _mermaid().drawn("graph TD\n  a --> b\n  b --> c\n  a --> c\n  a --> d\n  d --> c")
    boxes = {
        name: (float(x), float(y), float(width))
        for x, y, width, name in re.findall(r'x="(\d+)" y="(\d+)" width="(\d+)" [^>]*/><text [^>]*>(\w)<', picture)
    }
    assert boxes["a"][1] < boxes["b"][1] == boxes["d"][1] < boxes["c"][1]
    left, right = sorted((boxes["b"], boxes["d"]))
    assert left[0] + left[2] < right[0]


def _mermaid() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mermaid", DOCS / "mermaid.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mermaid"] = module  # Where its dataclasses look their annotations up.
    spec.loader.exec_module(module)
    return module
