"""The command line as its user meets it: what it prints, and the exit code."""

import json
import os
from pathlib import Path

import pytest
from tests.cli.commands import INLINE, name_provider, run
from tests.counting import Endpoint, Reply
from tests.fakes import NOWHERE

GOOD = """
model_configs: [{alias: m, model: sim, provider: simulated}]
columns:
- {name: topic, column_type: sampler, sampler_type: category, params: {values: [tea, rain]}}
- {name: text, column_type: llm-text, prompt: "Write about {{ topic }}", model_alias: m}
"""

SCRIPT = """
import data_designer.config as dd

def load_config_builder(params):
    builder = dd.DataDesignerConfigBuilder()
    values = list(params.argv) or ["none"]
    return builder.add_column(name="x", column_type="sampler", sampler_type="category", params={"values": values})
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own, with a good configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


@pytest.fixture
def served(folder: Path, simulated: str) -> Path:
    """That directory; the home file says where the simulated models are, so that no command starts its own."""
    name_provider(simulated, "simulated", provider_type="simulated")
    return folder


@pytest.mark.usefixtures("processes")
def test_create_makes_a_dataset_and_says_where(folder: Path) -> None:
    """`create` writes the dataset, exports it, and prints how many records are where; it starts simulated models."""
    code, said = run("create", "good.yaml", "-n", "5", "-d", "x", "-o", "out", "-f", "jsonl", "--seed", "1")
    assert code == 0, said
    assert "5 of 5 records in out/x" in said
    assert "next: look at it data-designer show out/x" in said
    rows = [json.loads(line) for line in (folder / "out/x/x.jsonl").read_text().splitlines()]
    assert len(rows) == 5
    assert json.loads((folder / "out/x/metadata.json").read_text())["actual_num_records"] == 5


def test_preview_validate_and_check_models(served: Path) -> None:
    """The other commands work on the same configuration and write no dataset."""
    assert run("validate", "good.yaml")[0] == 0
    assert run("check-models", "good.yaml")[0] == 0
    code, said = run("preview", "good.yaml", "-n", "2", "--non-interactive")
    assert code == 0
    assert "[index: 1]" in said
    assert "2 of 2 records" in said
    assert not (served / "artifacts").exists()


@pytest.mark.usefixtures("sockets")
def test_arguments_after_the_dashes_reach_a_script(folder: Path) -> None:
    """A Python configuration is given what stands after `--`."""
    code, said = run("create", "script.py", "-n", "3", "-o", "out", "-f", "csv", "--", "only")
    assert code == 0, said
    assert (folder / "out/dataset/dataset.csv").read_text().split() == ["x", "only", "only", "only"]


@pytest.mark.usefixtures("processes")
def test_any_configuration_runs_with_simulated_models(folder: Path) -> None:
    """`--simulate` needs no key and no network, whatever provider a model names."""
    (folder / "real.yaml").write_text(GOOD.replace("simulated", "nvidia"))
    code, said = run("create", "real.yaml", "-n", "2", "-o", "out")
    assert code == 1
    assert "NVIDIA_API_KEY" in said
    assert run("create", "real.yaml", "-n", "2", "-o", "out", "--simulate")[0] == 0


BAD = {
    "unknown key": (GOOD + "colour: red\n", "colour"),
    "malformed yaml": ("columns:\n- {name: a\n  x: [\n", "line 3"),
    "typo in a template": (GOOD.replace("{{ topic }}", "{{ topci }}"), "did you mean 'topic'"),
    "unknown alias": (GOOD.replace("model_alias: m", "model_alias: n"), "'n' is not declared"),
    "unknown provider": (GOOD.replace("simulated", "nowhere"), "'nowhere'"),
    "missing seed file": (GOOD + "seed_config: {source: {seed_type: local, path: gone.csv}}\n", "gone.csv"),
    "empty seed file": (GOOD + "seed_config: {source: {seed_type: local, path: empty.csv}}\n", "is empty"),
    "ragged seed file": (GOOD + "seed_config: {source: {seed_type: local, path: ragged.csv}}\n", "row 3"),
    "forbidden filter": (GOOD.replace("{{ topic }}", "{{ topic | tojson }}"), "tojson"),
    "no columns": ("columns: []\n", "nothing is left to write"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_error_and_no_traceback(folder: Path, name: str) -> None:
    """Whatever is wrong with a configuration is said in its own terms, with exit code 1 and before anything is made."""
    text, expected = BAD[name]
    (folder / "empty.csv").write_text("")
    (folder / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (folder / "bad.yaml").write_text(text)
    code, said = run("create", "bad.yaml", "-n", "3", "-o", "out")
    assert code == 1
    assert "❌" in said
    assert expected in said
    assert "Traceback" not in said
    assert not (folder / "out").exists()


@pytest.mark.parametrize("count", ["0", "-3", "many"])
def test_a_number_of_records_that_is_none_is_a_usage_error(folder: Path, count: str) -> None:
    """`--num-records` below one, or no number, is exit code 2."""
    assert run("create", "good.yaml", "-n", count)[0] == 2


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "an unknown format": (("-f", "xlsx"), "export writes jsonl, csv, parquet; not 'xlsx'"),
    "no format": (("-f", ""), "export writes jsonl, csv, parquet"),
    "a name with a slash": (("-d", "a/b"), "the dataset name 'a/b' holds one of"),
    "no name": (("-d", " "), "is empty; give the folder a name"),
    "a name of the layout": (("-d", "journal"), "is reserved"),
    "a name that is too long": (("-d", "é" * 150), "is 300 bytes long; at most 200"),
    "an unknown setting": (
        ("--set", "bufer_size=5"),
        "--set bufer_size=5: bufer_size: there is no such setting; did you mean 'buffer_size'?",
    ),
    "a setting of another type": (("--set", "buffer_size=many"), "buffer_size: must be a valid integer, not 'many'"),
    "true for a number": (("--set", "buffer_size=true"), "buffer_size is no matter of yes or no"),
    "true for a part of a budget": (("--set", "budget={requests: yes}"), "requests is no matter of yes or no"),
    "a number for a choice": (("--set", "executor=1"), "executor: must be 'auto', 'ray' or 'inline', not 1"),
    "a setting out of range": (("--set", "shutdown_error_rate=2"), "less than or equal to 1"),
    "no number at all": (("--set", "progress_interval=.nan"), "progress_interval"),
    "a number that metadata cannot hold": (("--seed", str(1 << 64)), "seed is too large"),
    "a setting without a value": (("--set", "seed"), "--set takes NAME=VALUE, not 'seed'"),
    "a setting that does not parse": (("--set", "budget={usd: ["), "the value does not parse"),
    "resources of no model": (("--set", "replica_resources={mm: {gpu: 1}}"), "did you mean 'm'?"),
    "less than no resources": (("--set", "replica_resources={m: {gpu: -1}}"), "-1.0 is no amount of 'gpu'"),
    "settings that are not there": (("-c", "gone.yaml"), "the run settings gone.yaml cannot be read"),
    "settings that are a folder": (("-c", "."), "the run settings . cannot be read"),
    "settings that say things twice": (("-c", "twice.yaml"), "the key 'seed' is given twice, first in line 1"),
    "settings that are no mapping": (("-c", "list.yaml"), "must be a mapping of names to values"),
    "settings of another encoding": (("-c", "latin.yaml"), "the run settings latin.yaml cannot be read"),
    "a dataset to reuse that is none": (("--reuse", "gone"), "there is no dataset at"),
    "a dataset to resume that is none": (("--resume", "always"), "there is no dataset at"),
    "a file for a folder": (("-o", "taken"), "taken/d"),
    "another place": (("-o", "ftp://host/folder"), "ftp://host cannot be used"),
    "arguments for no script": (("--", "x"), "arguments after -- are for Python configurations only"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_options_are_refused_before_anybody_is_asked(folder: Path, endpoint: Endpoint, what: str) -> None:
    """One line that names the option's value, exit code 1, no request, and no dataset."""
    options, expected = WRONG[what]
    (folder / "twice.yaml").write_text("seed: 1\nseed: 2\n")
    (folder / "list.yaml").write_text("- seed\n")
    (folder / "latin.yaml").write_bytes("seed: é".encode("latin-1"))
    (folder / "taken").write_text("")
    with endpoint(Reply) as counted:
        name_provider(counted.url)
        (folder / "good.yaml").write_text(GOOD.replace("simulated", "p"))
        code, said = run("create", "good.yaml", "-n", "2", "-o", "out", "-d", "d", *INLINE[:-2], *options)
    assert (code, counted.prompts) == (1, [])
    assert expected in said
    assert "❌" in said
    assert not (folder / "out").exists()


def test_a_folder_in_the_place_of_an_export_is_said_before_anybody_is_asked(folder: Path) -> None:
    """A resumed dataset in whose folder there is one of that name."""
    (folder / "out/d/d.csv").mkdir(parents=True)
    code, said = run("create", "good.yaml", "-o", "out", "-d", "d", "-f", "csv", "--resume", "if_possible")
    assert code == 1
    assert "out/d/d.csv is a folder" in said


def test_validate_needs_no_key_and_create_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody is asked a missing key is a warning, else an error that says what to do."""
    monkeypatch.delenv("NVIDIA_API_KEY", raising=False)
    (folder / "real.yaml").write_text(GOOD.replace("simulated", "nvidia"))
    code, said = run("validate", "real.yaml")
    assert code == 0, said
    assert "WARNING" in said
    assert "takes its key from NVIDIA_API_KEY, which is not set" in said
    for command in (("create", "real.yaml", "-o", "out"), ("preview", "real.yaml"), ("check-models", "real.yaml")):
        code, said = run(*command)
        assert code == 1
        assert "NVIDIA_API_KEY" in said
    assert not (folder / "out").exists()
    assert run("create", "real.yaml", "--simulate", "-d", "../x")[0] == 1


def test_two_providers_of_one_name_are_refused(folder: Path) -> None:
    """Those of the home file too; whose models would be asked is not to be guessed."""
    provider = "{name: p, endpoint: 'http://127.0.0.1:9/v1', api_key: k}"
    home = Path(os.environ["DATA_DESIGNER_HOME"])
    (home / "model_providers.yaml").write_text(f"providers: [{provider}, {provider}]")
    for command in ("create", "validate"):
        code, said = run(command, "good.yaml")
        assert code == 1
        assert "two providers named p" in said
    assert not (folder / "artifacts").exists()


def test_submit_refuses_what_the_job_would_refuse(folder: Path) -> None:
    """Nothing is sent: there is nobody at the address."""
    for options, expected in ((("-d", "a/b"), "holds one of"), (("--set", "bufer_size=5"), "bufer_size")):
        code, said = run("submit", "good.yaml", "-o", folder, "--address", "http://127.0.0.1:9", *options)
        assert code == 1
        assert expected in said


def test_an_artifact_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    """A file where the folder should be: one line that names the path."""
    (folder / "taken").write_text("")
    code, said = run("create", "good.yaml", "-n", "2", "-o", "taken/here")
    assert code == 1
    assert "taken/here" in said


@pytest.mark.usefixtures("sockets")
def test_an_endpoint_that_refuses_connections_is_named_and_leaves_the_name_free(folder: Path) -> None:
    """Nothing answers: one line with the address, and the next run gets the name it asked for."""
    name_provider(NOWHERE, "dead")
    (folder / "dead.yaml").write_text(GOOD.replace("simulated", "dead"))
    code, said = run("create", "dead.yaml", "-n", "2", "-o", "out")
    assert code == 1
    assert "127.0.0.1:9" in said
    assert run("create", "script.py", "-n", "2", "-o", "out")[0] == 0
    assert (folder / "out/dataset/metadata.json").is_file()


def test_an_early_shutdown_is_a_failure_of_the_command(served: Path) -> None:
    """A run that stops early keeps its rows, says so, and exits with 1."""
    (served / "noisy.yaml").write_text(GOOD.replace("model: sim", "model: 'sim?malformed_rate=0.7'"))
    code, said = run("create", "noisy.yaml", "-n", "300", *INLINE, "--set", "max_conversation_restarts=0")
    assert code == 1, said
    assert "cells failed" in said


@pytest.mark.usefixtures("processes")
def test_models_lists_what_an_endpoint_serves(served: Path, simulated: str) -> None:
    """By a provider's name or by an address, one a line; what is wrong is one line."""
    assert run("models", "simulated") == (0, "simulated")
    assert run("models", simulated) == (0, "simulated")
    code, said = run("models", "nope")
    assert code == 1
    assert "there is no provider 'nope'" in said
    assert run("models", NOWHERE)[0] == 1
