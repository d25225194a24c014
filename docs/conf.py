"""How the site is built from pages that are plain Markdown: `make docs-site`.

The source folder is that of the repository, so that links lead to the same files as where the pages are read as they
are. What is on a shelf is not written down twice: its index names its pages by links, and others follow these.
"""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

project = "Data Designer on Ray"
author = "the authors of Data Designer on Ray"
root_doc = "docs/index"
extensions = ["myst_parser", "mermaid"]
OTHERS = ("examples/README", "cluster/README", "CONTRIBUTING", "CHANGELOG")
"""Pages beside the shelves."""
include_patterns = ["docs/**.md", *(f"{page}.md" for page in OTHERS)]
exclude_patterns = [".*", "artifacts", "build", "dist", "src", "tests"]
source_suffix = {".md": "markdown"}
nitpicky = True

myst_heading_anchors = 4
myst_fence_as_directive = {"mermaid"}

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_additional_pages = {"index": "redirect.html"}
html_copy_source = False
html_use_index = False
html_domain_indices = False
html_show_copyright = False
html_js_files = [  # What a search found is shown with its surroundings where these can be fetched: not from a file.
    (None, {"body": 'DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = location.protocol !== "file:";'}),
]
pygments_style = "friendly"
pygments_dark_style = "github-dark"

SHELVES = ("tutorial", "how-to", "reference", "explanation", "decisions")
HIDDEN = "\n\n```{{toctree}}\n:hidden:\n\n{}\n```\n"
LISTED = "\n\n```{{toctree}}\n:maxdepth: 1\n\n{}\n```\n"


def add_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Tell Sphinx what lies below an index, which its text tells a reader by links."""
    if page == root_doc:
        pages = [*(f"docs/{shelf}/index" for shelf in SHELVES), *OTHERS]
        there = [f"/{page}" for page in pages if (DOCS.parent / f"{page}.md").exists()]
        source[0] += HIDDEN.format("\n".join(there))
    elif page.endswith("/index"):
        there = sorted(path.stem for path in (DOCS.parent / page).parent.glob("*.md") if path.stem != "index")
        named = [name for name in re.findall(r"\]\(([\w-]+)\.md\)", source[0]) if name in there]
        pages = list(dict.fromkeys([*named, *there]))
        source[0] += (HIDDEN if named else LISTED).format("\n".join(pages))


def setup(app: Sphinx) -> None:
    """Have indices know what lies below them."""
    app.connect("source-read", add_contents)
