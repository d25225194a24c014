"""The report in a browser: it asks for nothing, complains of nothing, fits every width, and is used by keyboard."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.browser import Page, browser, found
from tests.run_accounts import some_accounts

from data_designer.engine.dataset.run_accounts import write_accounts
from data_designer.engine.dataset.store import Store
from data_designer.interface.report import write_report
from data_designer.interface.report.facts import Extras

MADE = Path(__file__).with_name("old_datasets")
PROGRAM = found()
WIDTHS = (320, 360, 390, 768, 1024, 1440, 1920)
RIGHT, LEFT, TAB, ENTER = ("ArrowRight", 39), ("ArrowLeft", 37), ("Tab", 9), ("Enter", 13)
ADVICE = ["`judge` was full 98 % of the time: raise `max_parallel_requests` from 8 to 16, " + "x" * 200]

pytestmark = [
    pytest.mark.usefixtures("processes"),
    pytest.mark.skipif(PROGRAM is None, reason="this machine has no Chromium (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a dataset of which one record was rejected, with accounts of its time."""
    folder = tmp_path_factory.mktemp("made")
    dataset = Path(shutil.copytree(MADE / "lacking", folder / "d"))
    store = Store.at(dataset)
    write_accounts(store.files, some_accounts())
    written = write_report(store, extras=Extras(advice=ADVICE))
    assert isinstance(written, Path)
    return written


@pytest.fixture(scope="module")
def tab(processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab of a browser."""
    assert PROGRAM is not None
    with browser(PROGRAM, tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(tab: Page, report: Path) -> Page:
    """The report, opened anew in a wide window by somebody who has said nothing about themes."""
    tab.size(1440, 900)
    tab.prefer(prefers_color_scheme="light")
    tab.open(report)
    if tab.run("localStorage.length"):
        tab.run("localStorage.clear()")
        tab.open(report)
    return tab


def test_it_asks_for_nothing_and_complains_of_nothing(page: Page, report: Path) -> None:
    """No request but for the file itself, no error of a script, nothing that its policy forbids."""
    for script in ("document.querySelectorAll('details').forEach((one) => { one.open = true; })", "scrollTo(0, 9e9)"):
        page.run(script)
    assert set(page.asked_for) <= {report.as_uri(), "data:,"}
    assert page.complaints == []


def test_a_script_of_others_would_not_run(page: Page) -> None:
    """The policy of the page stands behind the escaping of what is in it."""
    page.run(
        "(() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        " document.body.append(script); document.body.insertAdjacentHTML('beforeend',"
        ' \'<img src="https://example.invalid/x.png" onerror="window.ran = 1">\'); })()'
    )
    page.run("new Promise((done) => setTimeout(done, 50))")
    assert page.run("window.ran") is None
    assert any("Content Security Policy" in one for one in page.complaints)


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_every_width(page: Page, width: int) -> None:
    """Nothing is to be scrolled sideways, with everything that opens opened, and every record shown."""
    page.size(width, 800)
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.run("document.querySelectorAll('.record').forEach((one) => { one.hidden = false; })")
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("visualViewport.width") == width


def test_records_are_browsed_by_buttons_and_keys(page: Page) -> None:
    """One at a time, from the first to the last; where the keyboard is in use elsewhere, it is left alone."""
    page.prefer(prefers_reduced_motion="reduce")
    shown = "[...document.querySelectorAll('.record')].filter((one) => !one.hidden).map((one) => one.ariaLabel).join()"
    assert page.run(shown) == "Record 0"
    page.run("document.querySelector('#records').scrollIntoView()")
    page.press(*RIGHT)
    assert page.run(shown) == "Record 1"
    page.run("document.querySelector('[data-step=\"1\"]').click()")
    assert page.run(shown) == "Record 2"
    assert page.run("document.querySelector('[role=status]').textContent") == "3 of 3"
    page.press(*RIGHT)
    assert page.run(shown) == "Record 2"
    page.press(*LEFT)
    assert page.run(shown) == "Record 1"
    page.run("document.querySelector('#configuration summary').focus()")
    page.press(*LEFT)
    assert page.run(shown) == "Record 1"


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    """Tab leads through links, buttons and what opens, in their order, and each shows that it has the focus."""
    some = "[...document.querySelectorAll('a[href], button, summary')]"
    focusable = f"{some}.filter((one) => one.checkVisibility())"
    number = page.run(f"{focusable}.length")
    assert number > 20
    seen = []
    for _ in range(number):
        page.press(*TAB)
        seen.append(page.run(f"{focusable}.indexOf(document.activeElement)"))
        assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen == list(range(number))


def test_the_theme_follows_the_system_until_it_is_chosen(page: Page, report: Path) -> None:
    """Dark and light by what the system prefers; the button turns it round, and the page remembers."""
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.run(background)
    page.prefer(prefers_color_scheme="dark")
    dark = page.run(background)
    assert light != dark
    page.run("new Promise(requestAnimationFrame)")  # Its scripts are told after what is drawn.
    assert page.run("document.querySelector('#theme').textContent") == "Light"
    page.run("document.querySelector('#theme').click()")
    assert page.run(background) == light
    page.open(report)
    assert page.run(background) == light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(page: Page, scheme: str) -> None:
    """By at least 4.5 to 1 (WCAG 2.2, 1.4.3), in both themes, for what is said, what is muted, links and states."""
    page.prefer(prefers_color_scheme=scheme)
    ratios = page.run(CONTRAST)
    assert len(ratios) > 5
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


CONTRAST = """
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
    const linear = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "white";
  };
  const found = {};
  for (const wanted of [".muted", ".note", ".type", "body", "nav a", ".state", "dt", "dd", "td", "th", "button", "h2",
                        "figcaption", ".preview", ".kind", ".tiles .label", "footer", "code", ".brief"]) {
    const one = document.querySelector(`main ${wanted}`) ?? document.querySelector(wanted);
    if (!one) continue;
    const [above, below] = [light(getComputedStyle(one).color), light(behind(one))];
    found[wanted] = (Math.max(above, below) + 0.05) / (Math.min(above, below) + 0.05);
  }
  return found;
})()
"""


def test_nothing_moves_for_those_who_want_it_so(page: Page) -> None:
    """Links within the page jump where motion is to be reduced."""
    assert page.run("getComputedStyle(document.documentElement).scrollBehavior") == "smooth"
    page.prefer(prefers_reduced_motion="reduce")
    assert page.run("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_headings_and_landmarks_make_an_outline(page: Page) -> None:
    """One first heading, no level left out, each section named by its heading, and what is drawn has words."""
    levels = page.run("[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))")
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    unnamed = "[...document.querySelectorAll('section, nav, svg[role=img], table, article')]"
    heading = "document.getElementById(one.getAttribute('aria-labelledby'))"
    name = f"(one.ariaLabel || {heading} || one.querySelector('caption, th, h3'))"
    assert page.run(f"{unnamed}.filter((one) => !{name}).map((one) => one.outerHTML.slice(0, 80))") == []
    bare = "[...document.querySelectorAll('main svg')].filter((one) => !one.closest('[role=img], [aria-hidden=true]'))"
    assert page.run(f"{bare}.length") == 0


def test_it_is_whole_without_scripts(tab: Page, report: Path) -> None:
    """Every record is there, one below the other."""
    tab.call("Emulation.setScriptExecutionDisabled", {"value": True})
    tab.open(report)
    tab.call("Emulation.setScriptExecutionDisabled", {"value": False})
    assert tab.run("[...document.querySelectorAll('.record')].filter((one) => one.checkVisibility()).length") == 3
    assert tab.run("document.querySelector('#theme').checkVisibility()") is False


def test_it_prints(page: Page) -> None:
    """Its navigation stays away, what was asked for is open, and colours are those of paper."""
    page.prefer(prefers_color_scheme="dark")
    page.call("Emulation.setEmulatedMedia", {"media": "print"})
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("document.querySelector('nav').checkVisibility()") is False
    assert page.run("document.querySelectorAll('#configuration details:not([open])').length") == 0
    assert page.run("getComputedStyle(document.documentElement).colorScheme") == "light"
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run("document.querySelectorAll('#configuration details[open]').length") == 0
    page.call("Emulation.setEmulatedMedia", {"media": ""})
