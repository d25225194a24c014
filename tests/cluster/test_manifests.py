"""The deployment folder parses, validates against the schemas of what reads it, and names what there is."""

import copy
import functools
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import typer
import yaml

from data_designer.cli.loading import load_run_config
from data_designer.cli.main import app
from data_designer.config.models import ModelProvider

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
CRDS = ROOT.parent / "shared" / "schemas" / "kuberay"
LAUNCHER_SCHEMA = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
KUBERAY = {"rayjob.yaml": "RayJob", "raycluster.yaml": "RayCluster"}
DEFINITIONS = {"RayJob": "ray.io_rayjobs.yaml", "RayCluster": "ray.io_rayclusters.yaml"}
IMAGE = "REGISTRY/data-designer-ray:0.1.0"
METRICS = {
    "cells_total": {"alias", "column", "outcome"},
    "requests_total": {"alias", "outcome"},
    "tokens_total": {"alias", "kind"},
    "errors_total": {"alias", "kind"},
    "batches_total": {"outcome"},
    "records_total": {"fate"},
    "requests_in_flight": {"alias"},
    "slots": {"alias"},
    "limit": {"alias"},
    "records_target": set(),
}
"""What a run measures: name to labels."""

with_definitions = pytest.mark.skipif(
    not CRDS.is_dir(), reason="KubeRay's resource definitions are not beside this checkout"
)


def read(path: Path) -> list[Any]:
    """All documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def closed(schema: Any) -> Any:
    """A schema as Kubernetes reads it: a field that is not declared is an error, unless it is to be preserved."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()}
    declares = isinstance(made.get("properties"), dict) and made.get("type") == "object"
    if declares and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    if made.get("x-kubernetes-int-or-string") is True:
        made = {**made, "type": ["integer", "string"]}
    if made.get("nullable") is True:
        made = {"anyOf": [{"type": "null"}, made]}
    return made


@functools.cache
def served_schema(kind: str) -> Any:
    """The schema of the served version `v1` of a kind."""
    definition = yaml.load((CRDS / DEFINITIONS[kind]).read_text(encoding="utf-8"), yaml.CSafeLoader)
    versions = {version["name"]: version for version in definition["spec"]["versions"] if version["served"]}
    return closed(versions["v1"]["schema"]["openAPIV3Schema"])


def cluster_spec(manifest: dict[str, Any]) -> dict[str, Any]:
    """The cluster that a manifest describes."""
    spec: dict[str, Any] = manifest["spec"].get("rayClusterSpec", manifest["spec"])
    return spec


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers of the head and of the workers."""
    spec = cluster_spec(manifest)
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    return [container for group in groups for container in group["template"]["spec"]["containers"]]


def mutations(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The manifest with one mistake each."""
    for mistake in ("field", "nested field", "type", "value", "nothing to run"):
        broken = copy.deepcopy(manifest)
        spec = cluster_spec(broken)
        workers = spec["workerGroupSpecs"][0]
        match mistake:
            case "field":
                broken["spec"]["shutdownAfterJobFinish"] = True
            case "nested field":
                workers["template"]["spec"]["containers"][0]["volumeMount"] = []
            case "type":
                workers["maxReplicas"] = "40"
            case "value":
                spec["authOptions"]["mode"] = "tokens"
            case _:
                del workers["template"]["spec"]["containers"]
        yield mistake, broken


def created(command: str) -> dict[str, Any]:
    """What `data-designer create` understands of a command line; an error if it does not."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == ["data-designer", "create"]
    group = typer.main.get_command(app)
    create = group.commands["create"]  # type: ignore[attr-defined]
    params: dict[str, Any] = create.make_context("create", words[2:]).params
    load_run_config(params["run_config"], list(params["settings"] or []))
    return params


@pytest.mark.parametrize(
    "path", sorted(path for path in CLUSTER.rglob("*") if path.suffix in {".yaml", ".json"}), ids=lambda path: path.name
)
def test_every_manifest_parses(path: Path) -> None:
    """JSON is JSON, and every document of a YAML file is a mapping."""
    documents = [json.loads(path.read_text(encoding="utf-8"))] if path.suffix == ".json" else read(path)
    assert documents
    assert all(isinstance(document, dict) for document in documents)


def test_nothing_names_a_machine_or_a_registry() -> None:
    """Images are placeholders or names of Docker Hub, and no path leads into somebody's home."""
    for path in (path for path in CLUSTER.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(work|root|home)/(?!.*\.cache)", text), path
        for image in re.findall(r"image: (\S+)", text):
            assert "." not in image.split("/")[0], f"{path}: {image}"


@with_definitions
@pytest.mark.parametrize("name", KUBERAY)
def test_a_manifest_satisfies_kuberays_definition(name: str) -> None:
    """Every field is one that KubeRay knows, with a value that it takes."""
    (manifest,) = read(CLUSTER / "kuberay" / name)
    jsonschema.Draft7Validator(served_schema(KUBERAY[name])).validate(manifest)


@with_definitions
@pytest.mark.parametrize("name", KUBERAY)
def test_a_manifest_with_a_mistake_does_not(name: str) -> None:
    """An unknown field, at the top or deep inside, a wrong type, a wrong value and a missing part are each found."""
    (manifest,) = read(CLUSTER / "kuberay" / name)
    validator = jsonschema.Draft7Validator(served_schema(KUBERAY[name]))
    for mistake, broken in mutations(manifest):
        assert not validator.is_valid(broken), mistake


@pytest.mark.parametrize("name", KUBERAY)
def test_a_ray_of_kuberay_has_the_shape_we_promise(name: str) -> None:
    """No CPU work on the head, 1 to 40 workers that come and go, a token, a shared volume, no usage report."""
    (manifest,) = read(CLUSTER / "kuberay" / name)
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", KUBERAY[name])
    spec = cluster_spec(manifest)
    (workers,) = spec["workerGroupSpecs"]
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert spec["enableInTreeAutoscaling"] is True
    assert (workers["minReplicas"], workers["maxReplicas"]) == (1, 40)
    assert spec["authOptions"] == {"mode": "token"}
    (claim,) = read(CLUSTER / "kuberay" / "volume.yaml")
    for group in (spec["headGroupSpec"], workers):
        (volume,) = group["template"]["spec"]["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    for container in containers(manifest):
        assert container["image"] == IMAGE
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/data"]


def test_the_key_of_an_endpoint_comes_from_a_secret() -> None:
    """Head and workers of the cluster that stays have it as the variable that the comment names; no value is there."""
    text = (CLUSTER / "kuberay" / "raycluster.yaml").read_text(encoding="utf-8")
    variable = re.search(r'api_key="(\w+)"', text)
    secret = re.search(r"create secret generic (\S+) --from-literal=(\S+?)=", text)
    assert variable is not None
    assert secret is not None
    source = {"secretKeyRef": {"name": secret[1], "key": secret[2]}}
    for container in containers(yaml.safe_load(text)):
        assert {"name": variable[1], "valueFrom": source} in container["env"]


def test_the_job_runs_the_demo_that_the_image_has() -> None:
    """The entry point is a command that the command line understands; tried again, it goes on."""
    (manifest,) = read(CLUSTER / "kuberay" / "rayjob.yaml")
    image = (CLUSTER / "Containerfile").read_text(encoding="utf-8")
    params = created(manifest["spec"]["entrypoint"])
    folder = re.search(r"^WORKDIR (\S+)$", image, re.MULTILINE)
    assert folder is not None
    assert "\nCOPY examples examples\n" in image
    example = Path(params["source"]).relative_to(folder[1])
    assert (ROOT / example).is_file()
    assert Path(params["artifact_path"]).is_relative_to("/data")
    assert params["resume"].value == "if_possible"
    assert manifest["spec"]["backoffLimit"] > 0


@pytest.mark.parametrize("page", ["README.md", "slurm/run.sbatch"])
def test_commands_of_a_page_are_understood(page: str) -> None:
    """Every `data-designer create` of it has options and settings that there are."""
    text = (CLUSTER / page).read_text(encoding="utf-8").replace("\n#", "\n")
    commands = re.findall(r"data-designer create (?:[^\n'`]*\\\n)*[^\n'`]+", text)
    assert commands
    for command in commands:
        created(command)


def test_an_unknown_option_or_setting_is_found() -> None:
    """What checks the commands does not take everything."""
    for command in ("data-designer create c.py --records 5", "data-designer create c.py --set replicas=4"):
        with pytest.raises(Exception, match="records|replicas"):
            created(command)


def test_the_server_of_a_model_is_where_the_comment_says() -> None:
    """The Service leads to the Deployment, whose readiness is probed, at the endpoint that the comment gives."""
    path = CLUSTER / "kuberay" / "vllm.yaml"
    deployment, service = read(path)
    assert (deployment["apiVersion"], deployment["kind"]) == ("apps/v1", "Deployment")
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels == deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (port,) = service["spec"]["ports"]
    (named,) = container["ports"]
    assert (port["targetPort"], port["port"]) == (named["name"], named["containerPort"])
    assert container["readinessProbe"]["httpGet"] == {"path": "/health", "port": named["name"]}
    assert container["resources"]["limits"]["nvidia.com/gpu"] == container["resources"]["requests"]["nvidia.com/gpu"]
    volumes = {volume["name"] for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    endpoint = f"http://{service['metadata']['name']}:{port['port']}/v1"
    assert f'endpoints=["{endpoint}"]' in path.read_text(encoding="utf-8")
    assert ModelProvider(name="mine", backend="vllm", endpoints=[endpoint]).endpoints == [endpoint]


@pytest.mark.parametrize("name", ["local.yaml", "aws.yaml"])
def test_a_launcher_file_satisfies_rays_schema(name: str) -> None:
    """The schema that Ray ships takes it, and does not take it with a mistake."""
    schema = json.loads(LAUNCHER_SCHEMA.read_text(encoding="utf-8"))
    (config,) = read(CLUSTER / "launcher" / name)
    jsonschema.validate(config, schema)
    mistakes: list[dict[str, Any]] = [{"setup_command": []}, {"max_workers": "40"}]
    for mistake in mistakes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**config, **mistake}, schema)
    installs = "\n".join(config["setup_commands"])
    assert "--require-hashes -r ~/data-designer/requirements.lock" in installs
    assert "--no-deps ~/data-designer" in installs


def test_every_ray_is_the_one_of_the_lock() -> None:
    """Manifests and launchers name the version that the lock pins; the image takes it from there."""
    lock = re.search(r"^ray==(\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert lock is not None
    for path in (path for path in CLUSTER.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        for version in re.findall(r'(?:rayVersion: "|ray\[default\]==)([\d.]+)', text):
            assert version == lock[1], path


def test_the_image_installs_what_the_lock_pins() -> None:
    """Hashes are required, the package brings nothing with it, and it does not run as root."""
    image = (CLUSTER / "Containerfile").read_text(encoding="utf-8")
    assert image.count("\nFROM python:3.11-slim\n") == 1
    assert "pip install --require-hashes -r requirements.lock" in image
    assert "pip install --no-deps ." in image
    assert image.index("\nUSER 1000") > image.index("--no-deps")
    for name in re.findall(r"^COPY (.+) \S+$", image, re.MULTILINE):
        assert all((ROOT / part).exists() for part in name.split())


def test_prometheus_reads_what_ray_lists_and_the_pods_of_kuberay() -> None:
    """One job reads Ray's file of targets, the other keeps the metrics ports of Ray's pods."""
    (config,) = read(CLUSTER / "prometheus" / "scrape.yaml")
    from_file, from_pods = config["scrape_configs"]
    assert from_file["file_sd_configs"] == [{"files": ["/tmp/ray/prom_metrics_service_discovery.json"]}]  # noqa: S108
    assert from_pods["kubernetes_sd_configs"] == [{"role": "pod"}]
    keep = from_pods["relabel_configs"][0]
    assert (keep["action"], keep["regex"], len(keep["source_labels"])) == ("keep", "yes;metrics", 2)


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    """Every query is of our metrics, with or without Ray's prefix, and by labels that they have; all are shown."""
    dashboard = json.loads((CLUSTER / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = set()
    for query in queries:
        selectors = re.findall(r'\{__name__=~"\(ray_\)\?data_designer_(\w+)"(.*?)\}', query)
        assert len(selectors) == query.count("data_designer_")
        grouped = set(re.findall(r"\w+", ",".join(re.findall(r"by \((.*?)\)", query))))
        for name, filters in selectors:
            asked.add(name)
            assert grouped | set(re.findall(r"(\w+)(?:=|!)", filters)) <= METRICS[name], query
            assert ("rate(" in query) == (name.endswith("_total") and name != "records_total"), query
    assert asked == set(METRICS)


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    """Each has a number and a place of its own on the grid of 24 columns."""
    dashboard = json.loads((CLUSTER / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_links_of_the_readme_lead_somewhere() -> None:
    """Every relative link of it names a file or folder that is there, and every file of the folder is named."""
    text = (CLUSTER / "README.md").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("http") or (CLUSTER / link).exists(), link
    for path in (path for path in CLUSTER.rglob("*") if path.is_file() and path.name != "README.md"):
        assert str(path.relative_to(CLUSTER)) in text, path
