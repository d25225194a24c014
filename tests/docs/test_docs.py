"""Documentation that runs, is current, and validates."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_CODE = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]
CRDS = ROOT.parent / "shared" / "schemas" / "kuberay"


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run one after another, as a reader would run them."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)  # noqa: S102 - our own documentation


def test_links_between_pages_lead_somewhere() -> None:
    """Every relative link names a file or folder that is there."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert link.startswith("http") or (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_generated_reference_is_current() -> None:
    """`make docs` would change nothing."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.TARGET.read_text(encoding="utf-8") == generate.page()


def test_the_manifest_of_the_demo_is_a_ray_job() -> None:
    """The manifest parses, names its kind, and runs our command."""
    manifest = yaml.safe_load((ROOT / "cluster" / "rayjob-demo.yaml").read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayJob")
    assert manifest["spec"]["entrypoint"].startswith("data-designer create ")


@pytest.mark.skipif(not CRDS.is_dir(), reason="KubeRay's resource definitions are not beside this checkout")
def test_the_manifest_satisfies_kuberays_definition() -> None:
    """The manifest validates against the schema that KubeRay installs."""
    definition = yaml.safe_load((CRDS / "ray.io_rayjobs.yaml").read_text())
    versions = {version["name"]: version for version in definition["spec"]["versions"]}
    schema = versions["v1"]["schema"]["openAPIV3Schema"]
    jsonschema.validate(yaml.safe_load((ROOT / "cluster" / "rayjob-demo.yaml").read_text()), schema)
