"""A preview as files to look at: its records, a page to go through them, its statistics and its rows."""

from pathlib import Path
from typing import TYPE_CHECKING

from data_designer.errors import ArtifactStorageError

if TYPE_CHECKING:
    from data_designer.interface.results import PreviewResults

_RECORDS = "sample_records"
BROWSER = "sample_records_browser.html"


def save_preview(results: "PreviewResults", folder: Path, *, theme: str = "dark", display_width: int = 110) -> Path:
    """Write a preview into a folder, and give the path of the page that goes through its records.

    There will be `report.html`, `dataset.parquet`, and a page a record in `sample_records`.

    Raises:
        ArtifactStorageError: there is no record, or the folder cannot be written.
    """
    frame = results.dataset
    if frame is None or not len(frame):
        raise ArtifactStorageError("there is no record to save")
    records = folder / _RECORDS
    try:
        records.mkdir(parents=True)
        for index in range(len(frame)):
            results.display_sample_record(
                index, save_path=records / f"record_{index}.html", theme=theme, display_width=display_width
            )
        browser = records / BROWSER
        browser.write_text(_page(len(frame), theme), encoding="utf-8")
        _write_rows(results, folder / "dataset.parquet")
        if results.analysis is not None:
            results.analysis.to_report(save_path=folder / "report.html")
    except OSError as error:
        raise ArtifactStorageError(f"the preview cannot be saved in {folder}: {error}") from error
    return browser


def _write_rows(results: "PreviewResults", path: Path) -> None:
    import pyarrow.parquet as pq

    from data_designer.engine.dataset.schema import Tables

    assert results.dataset is not None
    columns = {str(name): results.dataset[name].tolist() for name in results.dataset}
    pq.write_table(Tables({}).table(columns), path)


def _page(number: int, theme: str) -> str:
    """A page with one record at a time, by buttons or the keys of arrows; it needs no network."""
    back, front = ("#1e1e1e", "#ddd") if theme == "dark" else ("#fff", "#222")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Records of the preview</title>
<style>
body {{ margin: 0; display: flex; flex-direction: column; height: 100vh; background: {back}; color: {front};
  font-family: sans-serif; }}
nav {{ display: flex; gap: 1em; align-items: center; padding: .5em 1em; }}
iframe {{ flex: 1; border: 0; background: {back}; }}
</style>
</head>
<body>
<nav><button id="previous">previous</button><span id="place"></span><button id="next">next</button></nav>
<iframe id="record" title="record"></iframe>
<script>
const number = {number};
let at = Math.min(Math.max(parseInt(location.hash.slice(1)) || 0, 0), number - 1);
function show(index) {{
  at = (index + number) % number;
  document.getElementById("record").src = "record_" + at + ".html";
  document.getElementById("place").textContent = "record " + at + " (" + (at + 1) + " of " + number + ")";
  history.replaceState(null, "", "#" + at);
}}
document.getElementById("previous").onclick = () => show(at - 1);
document.getElementById("next").onclick = () => show(at + 1);
addEventListener("keydown", event => {{
  if (event.key === "ArrowRight" || event.key === "n") show(at + 1);
  if (event.key === "ArrowLeft" || event.key === "p") show(at - 1);
}});
show(at);
</script>
</body>
</html>
"""
