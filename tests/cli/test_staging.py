"""What `submit` sends to a cluster, and what it refuses to send."""

from pathlib import Path

import pytest

from data_designer.cli.jobs import check_shared, entrypoint
from data_designer.cli.staging import Staged, stage
from data_designer.errors import InvalidConfigError, SeedReaderConfigError

SCRIPT = """
from pathlib import Path
import data_designer.config as dd
from helpers import doubled

def load_config_builder():
    built = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias="a", model="m", provider="openai")])
    built.with_seed_dataset(dd.LocalFileSeedSource(path=str(Path(__file__).parent / "data" / "seeds.csv")))
    built.add_column(name="text", column_type="llm-text", model_alias="a", prompt="{{ n }}")
    return built
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script with a module, a package and a seed file beside it, and things that nobody needs."""
    root = tmp_path / "project"
    for name, text in {
        "config.py": SCRIPT,
        "helpers.py": "def doubled(value):\n    return 2 * value\n",
        "words/__init__.py": "",
        "words/list.txt": "a\n",
        "words/__pycache__/x.pyc": "",
        "data/seeds.csv": "n\n1\n2\n",
        "notes.txt": "mine",
        "artifacts/old/metadata.json": "{}",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return root


def staged(project: Path, source: str = "project/config.py") -> tuple[Staged, list[str]]:
    """What is sent."""
    folder = project.parent / "sent"
    folder.mkdir(exist_ok=True)
    found = stage(source, (), folder)
    return found, sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_script_goes_with_its_modules_and_seed_files(project: Path) -> None:
    """And nothing else; the names of keys are told, not the keys."""
    found, files = staged(project)
    assert found.config == "config.py"
    assert found.variables == ("OPENAI_API_KEY",)
    assert files == ["config.py", "data/seeds.csv", "helpers.py", "words/__init__.py", "words/list.txt"]


def test_a_relative_seed_file_is_where_it_is_looked_for(project: Path) -> None:
    """In the working directory, here and there."""
    (project.parent / "other.csv").write_text("n\n1\n")
    (project / "config.py").write_text(
        SCRIPT.replace('str(Path(__file__).parent / "data" / "seeds.csv")', '"other.csv"')
    )
    assert "other.csv" in staged(project)[1]


def test_a_seed_file_outside_is_left_and_named(project: Path) -> None:
    """The cluster may have it at that path; only the user knows."""
    outside = project.parent.parent / "seeds.csv"
    outside.write_text("n\n1\n")
    script = project / "config.py"
    script.write_text(SCRIPT.replace('str(Path(__file__).parent / "data" / "seeds.csv")', repr(str(outside))))
    found, files = staged(project)
    assert found.left == (str(outside),)
    assert "seeds.csv" not in files


def test_a_folder_as_seed_goes_along(project: Path) -> None:
    """Those of its files that match; one that is not there is named before anything is sent."""
    text = "columns: []\nseed_config: {source: {seed_type: directory, path: project/data}}\n"
    (project / "c.yaml").write_text(text)
    (project / "data" / "deep").mkdir()
    (project / "data" / "deep" / "one.md").write_text("text")
    assert {"project/data/seeds.csv", "project/data/deep/one.md"} <= set(staged(project, "project/c.yaml")[1])
    (project / "c.yaml").write_text(text.replace("project/data", "project/nowhere"))
    with pytest.raises(SeedReaderConfigError, match="nowhere does not exist"):
        staged(project, "project/c.yaml")


def test_settings_of_the_user_s_home_go_along(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers that are declared there are declared on the cluster too."""
    home = project.parent / "home"
    home.mkdir()
    (home / "model_providers.yaml").write_text(
        "providers:\n- {name: openai, endpoint: 'http://h/v1', api_key: MY_KEY}\n"
    )
    monkeypatch.setenv("DATA_DESIGNER_HOME", str(home))
    found, files = staged(project)
    assert ".data-designer/model_providers.yaml" in files
    assert found.variables == ("MY_KEY",)


def test_a_key_in_a_file_is_not_sent(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray would keep it; the message says where it stands and not what it is."""
    home = project.parent / "home"
    home.mkdir()
    (home / "model_providers.yaml").write_text("providers:\n- {name: p, endpoint: 'http://h/v1', api_key: sk-abcdef}\n")
    monkeypatch.setenv("DATA_DESIGNER_HOME", str(home))
    with pytest.raises(InvalidConfigError, match="provider 'p' in .* holds its key itself") as caught:
        staged(project)
    assert "sk-abcdef" not in str(caught.value)


def test_what_is_too_large_is_named(project: Path) -> None:
    """Ray's head would have to hold it."""
    with (project / "words" / "huge.bin").open("wb") as file:
        file.truncate(300 << 20)
    with pytest.raises(InvalidConfigError, match=r"300 MiB, of which 'words/huge.bin' is 300; at most 200 can be sent"):
        staged(project)


def test_what_is_wrong_with_a_configuration_is_said_before_anything_is_sent(project: Path) -> None:
    """There is no need for a cluster to find out."""
    with pytest.raises(InvalidConfigError, match="there is no configuration script 'project/other.py'"):
        staged(project, "project/other.py")


@pytest.mark.parametrize("path", ["/data/artifacts", "s3://bucket/artifacts"])
def test_a_place_that_all_nodes_share_will_do(path: str) -> None:
    """An absolute path or an address."""
    check_shared(path)


@pytest.mark.parametrize("path", ["artifacts", "./artifacts", "~/artifacts"])
def test_a_place_inside_the_job_s_own_folder_is_refused(path: str) -> None:
    """It is gone with the job."""
    with pytest.raises(InvalidConfigError, match="--artifact-path .* is relative"):
        check_shared(path)


def test_the_command_is_quoted_for_a_shell() -> None:
    """Settings hold braces, and arguments of a script hold anything."""
    made = entrypoint(Staged("my config.py", (), ()), ["a b", "$HOME"], ["-n", "5", "--set", 'budget={"usd": 1}'])
    assert made == """data-designer create 'my config.py' -n 5 --set 'budget={"usd": 1}' -- 'a b' '$HOME'"""
