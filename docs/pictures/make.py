"""Takes the pictures of the README from a run: `python -m docs.pictures.make`, in the folder of the repository.

It needs Chromium. The run is that of `make demo`, in one process; the panel is what `data-designer watch` shows of it.
"""

import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text
from tests.browser import browser, found

from data_designer.engine.observe.views.panel import panel
from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.errors import ArtifactStorageError
from data_designer.interface.watching import Watch
from data_designer.object_storage import location

PICTURES = Path(__file__).parent
CREATE = "create examples/product_reviews.py -n 2000"
WIDTH = 84
"""Columns of the terminal."""
MOMENT = 0.55
"""How much of the run is done when the panel is taken."""
SCREEN = (1200, 860)
SECTION = "profiles"
"""Of the report, at which its picture begins."""
COLOURS = 64
"""Of the picture of the report, which is all the smaller."""
TERMINAL = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg"><style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px }}
{styles}</style><defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" \
height="{terminal_height}"/></clipPath>{lines}</defs>{chrome}<g transform="translate({terminal_x}, {terminal_y})" \
clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""
"""As rich draws a terminal, but with a font that the reader has."""


def run(folder: Path) -> tuple[Snapshot, Path]:
    """How a run stood in its midst, and the report of its dataset."""
    options = f"-d reviews --artifact-path {folder} --report --progress none --set executor=inline"
    command = [sys.executable, "-m", "data_designer.cli.main", *CREATE.split(), *options.split()]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    looks: list[Snapshot] = []
    while process.poll() is None:
        time.sleep(0.2)
        try:
            snapshot = Watch(location(str(folder / "reviews"))).look().snapshot
        except ArtifactStorageError:  # It has not begun.
            continue
        if snapshot is not None:
            looks.append(snapshot)
    if process.returncode:
        raise SystemExit(process.returncode)
    return min(looks, key=lambda one: abs(one.done - MOMENT)), folder / "reviews" / "report.html"


def terminal(snapshot: Snapshot) -> str:
    """The panel as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in [*panel(snapshot, WIDTH), []]:
        console.print(Text.assemble(*line), no_wrap=True)
    return console.export_svg(title=f"data-designer {CREATE}", code_format=TERMINAL, unique_id="panel")


def main() -> None:
    """Write both."""
    program = found()
    if program is None:
        raise SystemExit("this machine has no Chromium")
    with tempfile.TemporaryDirectory() as folder:
        snapshot, report = run(Path(folder))
        (PICTURES / "panel.svg").write_text(terminal(snapshot), encoding="utf-8")
        with browser(program, Path(folder) / "browser") as page:
            page.size(*SCREEN)
            page.prefer(prefers_color_scheme="light")
            page.open(report)
            page.run(f"document.getElementById('{SECTION}').scrollIntoView({{behavior: 'instant'}})")
            page.picture(Path(folder) / "report.png")
        picture = Image.open(Path(folder) / "report.png").convert("P", palette=Image.Palette.ADAPTIVE, colors=COLOURS)
        picture.save(PICTURES / "report.png", optimize=True)


if __name__ == "__main__":
    main()
