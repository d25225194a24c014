"""The commands that go on with a dataset: what they print, and the exit code."""

import json
import os
import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.cli.commands import GOOD, INLINE, SEEDED, name_provider, run
from tests.counting import Endpoint, Reply
from tests.fakes import NOWHERE, USUAL, designer
from tests.interface.resuming import data_files

import data_designer.config as dd
from data_designer.interface import DataDesigner

RECORDS = 12
IDEAL = 2 * RECORDS
"""Requests of an undisturbed run: two a record."""

SCRIPT = '''
import data_designer.config as dd

@dd.custom_column_generator(required_columns=["draft"])
def loud(row):
    return {**row, "loud": row["draft"].upper()}

def load_config_builder(params):
    """A custom function, and a word from the command line."""
    model = dd.ModelConfig(alias="a", model="small", provider="p", skip_health_check=True)
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    prompt = params.argv[0] + " {{ id }}"
    builder.add_column(name="draft", column_type="llm-text", model_alias="a", prompt=prompt)
    return builder.add_column(dd.CustomColumnConfig(name="loud", generator_function=loud))
'''

JUDGED = """
model_configs: [{alias: m, model: sim, provider: simulated}]
columns:
- {name: id, column_type: sampler, sampler_type: uuid, params: {}}
- {name: text, column_type: llm-text, prompt: "about {{ id }}", model_alias: m}
- name: verdict
  column_type: llm-judge
  model_alias: m
  prompt: "Judge {{ text }}"
  scores: [{name: tone, description: how, options: {1: bad, 2: good, none: there is none}}]
"""


@dataclass
class Models:
    """Answers so many requests and refuses the others; may hold them back until it is told to go on."""

    answers: int = 1_000_000
    status: int = 503
    refuses: str = "\0"
    """Prompts that hold these words get HTTP 400."""
    given: list[str] = field(default_factory=list)
    """Prompts that were answered."""
    asked: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.go_on.set()

    def __call__(self, prompt: str) -> Reply:
        """Answer or refuse."""
        self.asked.set()
        self.go_on.wait(60)
        if self.refuses in prompt:
            return Reply("not this one", 400)
        with self.lock:
            if len(self.given) >= self.answers:
                return Reply("out of order", self.status)
            self.given.append(prompt)
        return Reply(f"<{prompt}>")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own, with two configurations."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


@pytest.fixture
def model(folder: Path, endpoint: Endpoint) -> Iterator[Models]:
    """The behaviour of the models of provider `p`, as the user's home file names it."""
    behaviour = Models()
    with endpoint(behaviour) as counted:
        name_provider(counted.url)
        yield behaviour


def make(*more: object, source: str = "good.yaml") -> tuple[int, str]:
    """`create`, inline, in batches of five."""
    return run("create", source, "-n", RECORDS, "-o", "out", "-d", "d", *INLINE, *more)


def interrupted(model: Models, *more: object, answers: int = 17, source: str = "good.yaml") -> str:
    """`create` at an endpoint that goes down after some answers, and comes back; gives what was printed."""
    model.answers = answers
    code, said = make("--set", "outage_patience=0.01", *more, source=source)
    assert code == 1, said
    model.answers = 1_000_000
    return said


def read(dataset: Path, column: str = "final") -> list[str]:
    """A column of a dataset, in order."""
    return list(pd.read_parquet(dataset / "parquet-files")[column])


# --- resume ----------------------------------------------------------------------------------------------------


def test_resume_goes_on_as_it_was_begun(folder: Path, model: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped `create` prints the command that goes on; it works from anywhere, and pays for nothing twice."""
    said = interrupted(model)
    dataset = folder / "out/d"
    assert "data-designer resume out/d" in said
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    code, said = run("resume", dataset)
    assert code == 0, said
    assert f"{RECORDS} of {RECORDS} records in {dataset}" in said
    assert len(model.given) == len(set(model.given)) == IDEAL
    assert read(dataset) == [f"<better <about {one}>>" for one in read(dataset, "id")]
    assert [len(pd.read_parquet(path)) for path in sorted((dataset / "parquet-files").iterdir())] == [5, 5, 2]
    code, said = run("resume", dataset)
    assert code == 0, said
    assert len(model.given) == IDEAL


def test_settings_may_change_for_the_rest(folder: Path, model: Models) -> None:
    """`resume` keeps the settings of before; `--set` and a file of settings change those that may change."""
    assert make("--set", "budget={requests: 17}")[0] == 1
    (folder / "run.yaml").write_text("max_concurrent_row_groups: 1\nbudget: null\n")
    code, said = run("resume", "out/d", "-c", "run.yaml", "--set", "non_inference_max_parallel_workers=2")
    assert code == 0, said
    kept = json.loads((folder / "out/d/metadata.json").read_text())["run_config"]
    assert kept["max_concurrent_row_groups"] == 1
    assert (kept["executor"], kept["non_inference_max_parallel_workers"], kept["buffer_size"]) == ("inline", 2, 5)


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "fewer records": (("-n", "11"), "num_records=11 is fewer than the 12"),
    "another buffer size": (("--set", "buffer_size=4"), "divided into batches already; set buffer_size=5"),
    "another seed": (("--set", "seed=2"), "seed: 1 -> 2"),
    "no such setting": (("--set", "buffersize=4"), "buffersize"),
    "a setting without a value": (("--set", "buffer_size"), "--set takes NAME=VALUE, not 'buffer_size'"),
    "no such file": (("-c", "gone.yaml"), "gone.yaml cannot be read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_resumed_so_is_said_in_a_line(folder: Path, model: Models, name: str) -> None:
    """`resume` with what may not change: exit code 1, the reason, no traceback, nothing asked and nothing changed."""
    assert make("--set", "budget={requests: 17}")[0] == 1
    asked, before = len(model.given), data_files(folder / "out/d")
    options, expected = REFUSED[name]
    code, said = run("resume", "out/d", *options)
    assert code == 1
    assert expected in said
    assert "Traceback" not in said
    assert (len(model.given), data_files(folder / "out/d")) == (asked, before)


COMMANDS: dict[str, tuple[str, ...]] = {
    "resume": ("resume",),
    "extend": ("extend", "-n", "20"),
    "retry-failed": ("retry-failed",),
    "check": ("check",),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_where_no_dataset_is_it_is_said(folder: Path, name: str) -> None:
    """A folder that is not there, or is none of a dataset: exit code 1, the path, and nothing is made."""
    (folder / "notes").mkdir()
    for path in ("gone", "notes"):
        code, said = run(*COMMANDS[name], path)
        assert code == 1
        assert f"there is no dataset at {folder / path}" in said
    assert not (folder / "gone").exists()
    assert list((folder / "notes").iterdir()) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_damaged_metadata_are_named(folder: Path, model: Models, name: str) -> None:
    """Metadata that were cut off or edited: exit code 1, the file, and what to do."""
    assert make()[0] == 0
    asked = len(model.given)
    path = folder / "out/d/metadata.json"
    whole = path.read_bytes()
    for damaged in (whole[:200], whole.replace(b'"seed": 1,', b'"seed": 3,')):
        path.write_bytes(damaged)
        code, said = run(*COMMANDS[name], "out/d")
        assert code == 1
        assert f"{path} is damaged or was edited" in said
        assert "restore it from a copy" in said
    assert len(model.given) == asked


def test_a_damaged_receipt_is_named_with_its_cure_and_the_cure_works(folder: Path, model: Models) -> None:
    """A receipt that was cut off: `resume` names it; without it that batch is made again, and only that."""
    assert make()[0] == 0
    before, model.given[:] = data_files(folder / "out/d"), []
    path = folder / "out/d/receipts/batch_00001.json"
    path.write_bytes(path.read_bytes()[:100])
    code, said = run("resume", "out/d")
    assert code == 1
    assert f"the receipt {path} is damaged" in said
    assert "remove it to have batch 1 made again" in said
    path.unlink()
    code, said = run("resume", "out/d")
    assert code == 0, said
    assert len(model.given) == 2 * 5
    assert data_files(folder / "out/d") == before


def test_a_dataset_in_use_is_refused(folder: Path, model: Models) -> None:
    """While another run writes it, the commands that write are refused and name the process; `check` may look on."""
    model.go_on.clear()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(script_run, folder)
        assert model.asked.wait(60)
        for arguments in (("resume", "out/d"), ("extend", "out/d", "-n", 20), ("retry-failed", "out/d")):
            code, said = run(*arguments)
            assert code == 1
            assert f"is being written by process {os.getpid()}" in said
        assert run("check", "out/d")[0] == 0
        model.go_on.set()
        assert running.result(60) == RECORDS


def script_run(folder: Path) -> int:
    """The same dataset, made by a script."""
    maker = DataDesigner(folder / "out", auto_configure_logging=False)
    maker.set_run_config(dd.RunConfig(**USUAL))
    builder = dd.DataDesignerConfigBuilder.from_config(folder / "good.yaml")
    return maker.create(builder, num_records=RECORDS, dataset_name="d").count_records()


# --- create --resume -------------------------------------------------------------------------------------------


def test_create_resumes_where_it_is_told_to(folder: Path, model: Models) -> None:
    """`create --resume`: `always` needs a dataset, `if_possible` begins one, either goes on with it."""
    code, said = make("--resume", "always")
    assert code == 1
    assert f"there is no dataset at {folder / 'out/d'} to resume" in said
    assert make("-r", "if_possible", "--set", "budget={requests: 17}")[0] == 1
    code, said = make("--resume", "always")
    assert code == 0, said
    assert len(model.given) == len(set(model.given)) == IDEAL
    assert [path.name for path in (folder / "out").iterdir()] == ["d"]


def test_create_refuses_or_steps_aside_where_the_configuration_differs(folder: Path, model: Models) -> None:
    """Another prompt: `always` names the change with exit code 1, `if_possible` makes a dataset beside it."""
    assert make()[0] == 0
    before = data_files(folder / "out/d")
    (folder / "other.yaml").write_text(GOOD.replace("about {{ id }}", "on {{ id }}"))
    code, said = make("--resume", "always", source="other.yaml")
    assert code == 1
    assert 'column \'draft\', prompt: "about {{ id }}" -> "on {{ id }}"' in said
    code, said = make("--resume", "if_possible", source="other.yaml")
    assert code == 0, said
    assert len(list((folder / "out").iterdir())) == 2
    assert data_files(folder / "out/d") == before
    assert len(model.given) == 2 * IDEAL


def test_a_mode_that_is_none_is_a_usage_error(folder: Path) -> None:
    """`--resume` with another word: exit code 2, and the words there are."""
    code, said = make("--resume", "sometimes")
    assert code == 2
    for word in ("never", "always", "if_possible"):
        assert word in said
    assert not (folder / "out").exists()


# --- extend ----------------------------------------------------------------------------------------------------


def test_extend_adds_records(folder: Path, model: Models) -> None:
    """`extend` adds batches, of another size if wished; files of before stay byte for byte, and so do their records."""
    assert make()[0] == 0
    before = data_files(folder / "out/d")
    code, said = run("extend", "out/d", "-n", 20, "--set", "buffer_size=3")
    assert code == 0, said
    assert "20 of 20 records in" in said
    after = data_files(folder / "out/d")
    assert {name: after[name] for name in before} == before
    assert [len(pd.read_parquet(folder / "out/d" / name)) for name in after] == [5, 5, 2, 3, 3, 2]
    assert len(model.given) == len(set(model.given)) == 40
    code, said = run("resume", "out/d", "-n", 21)
    assert code == 0, said
    assert "21 of 21 records in" in said


def test_extend_needs_more(folder: Path, model: Models) -> None:
    """`extend` to fewer records is refused, and without a number or a configuration it says what to give."""
    assert make()[0] == 0
    code, said = run("extend", "out/d", "-n", 11)
    assert (code, "num_records=11 is fewer than the 12" in said) == (1, True)
    code, said = run("extend", "out/d")
    assert (code, "--num-records" in said) == (1, True)
    assert run("extend", "out/d", "-n", 0)[0] == 2
    assert len(model.given) == IDEAL
    assert len(data_files(folder / "out/d")) == 3


def test_extend_adds_columns_in_a_dataset_beside(folder: Path, model: Models) -> None:
    """`extend --config`: the columns that are as they were are taken over, the further one is asked for."""
    assert make()[0] == 0
    before = data_files(folder / "out/d")
    more = '- {name: title, column_type: llm-text, prompt: "title of {{ final }}", model_alias: a}\n'
    (folder / "more.yaml").write_text(GOOD + more)
    code, said = run("extend", "out/d", "--config", "more.yaml")
    assert code == 0, said
    assert len(model.given) == IDEAL + RECORDS
    assert data_files(folder / "out/d") == before
    assert read(folder / "out/d_extended") == read(folder / "out/d")
    assert read(folder / "out/d_extended", "title") == [f"<title of {text}>" for text in read(folder / "out/d")]


# --- retry-failed ----------------------------------------------------------------------------------------------


def test_retry_failed_makes_what_was_rejected(folder: Path, model: Models, endpoint: Endpoint) -> None:
    """Rejected records are made again, by another model if wished, and stand where they belong."""
    assert make()[0] == 0
    whole, ids = data_files(folder / "out/d"), read(folder / "out/d", "id")
    model.refuses = ids[7]
    code, said = make()
    assert code == 0, said
    dataset = next(path for path in (folder / "out").iterdir() if path.name != "d")
    assert f"{RECORDS - 1} of {RECORDS} records in out/{dataset.name} 1 rejected" in said
    assert f"next: make the rejected record again data-designer retry-failed out/{dataset.name}" in said
    code, said = run("retry-failed", dataset)
    assert code == 0, said
    assert f"{RECORDS - 1} of {RECORDS} records in" in said
    model.refuses = "\0"
    with endpoint(model) as counted:
        name_provider(counted.url)
        code, said = run("retry-failed", dataset, "--model", "b=larger", "--model", "a=small")
    assert code == 0, said
    assert f"{RECORDS} of {RECORDS} records in" in said
    assert Counter(body["model"] for body in counted.bodies) == {"small": 1, "larger": 1}
    assert data_files(dataset) == whole


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("larger", "--model takes ALIAS=NAME, not 'larger'"),
        ("b=", "--model takes ALIAS=NAME, not 'b='"),
        ("=larger", "--model takes ALIAS=NAME, not '=larger'"),
        ("c=larger", "no column uses a model alias 'c'; there are a, b"),
    ],
)
def test_a_model_in_a_wrong_form_is_said(folder: Path, model: Models, given: str, expected: str) -> None:
    """`--model` that is no ALIAS=NAME, or names no alias: exit code 1, what was given, and the dataset stays free."""
    model.refuses = "better"
    assert make("--set", "disable_early_shutdown=true")[0] == 1
    code, said = run("retry-failed", "out/d", "--model", given)
    assert code == 1
    assert expected in said
    assert not (folder / "out/d/lock").exists()


# --- check -----------------------------------------------------------------------------------------------------


def test_check_counts_what_is_there_and_what_is_not(folder: Path, model: Models) -> None:
    """A whole dataset is said to be whole; an unfinished one is whole too, with what is missing and in the journal."""
    assert make("--set", "budget={requests: 7}")[0] == 1
    code, said = run("check", "out/d")
    assert code == 0, said
    found = re.search(r"generated=(\d+) rejected=0 missing=(\d+) journaled=(\d+)", said)
    assert found is not None
    generated, missing, journaled = map(int, found.groups())
    assert generated + missing == RECORDS
    assert 0 < journaled <= 7
    assert run("resume", "out/d", "--set", "budget=null")[0] == 0
    code, said = run("check", folder / "out/d")
    assert code == 0, said
    assert f"batches=3/3 files=3 generated={RECORDS} rejected=0 missing=0 journaled=0" in said
    assert "every file is as it was committed" in said


def flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "a flipped bit": ("parquet-files/batch_00001.parquet", flip, "does not match its checksum"),
    "cut off": ("parquet-files/batch_00001.parquet", lambda path: os.truncate(path, 40), "does not match its checksum"),
    "a missing file": ("parquet-files/batch_00001.parquet", Path.unlink, "is missing"),
    "a receipt": ("receipts/batch_00001.json", flip, "is damaged"),
    "the declaration": ("builder_config.json", flip, "is damaged or was edited"),
    "no declaration": ("builder_config.json", Path.unlink, "cannot be read"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_check_names_what_is_damaged(folder: Path, model: Models, name: str) -> None:
    """A flipped bit, a cut or missing file: exit code 1, the file, and what can be done about it."""
    assert make()[0] == 0
    where, damage, expected = DAMAGES[name]
    damage(folder / "out/d" / where)
    code, said = run("check", "out/d")
    assert code == 1
    assert where in said
    assert expected in said
    assert "restore what is damaged from a copy" in said
    assert "Traceback" not in said
    assert len(model.given) == IDEAL


@pytest.mark.parametrize("name", ["a flipped bit", "cut off"])
def test_no_command_builds_on_what_is_damaged(folder: Path, model: Models, name: str) -> None:
    """`resume`, `extend` and `retry-failed` name the file and what can be done, and ask nobody."""
    assert make()[0] == 0
    where, damage, _ = DAMAGES[name]
    damage(folder / "out/d" / where)
    for command in (("resume", "out/d"), ("extend", "out/d", "-n", 20), ("retry-failed", "out/d")):
        code, said = run(*command)
        assert code == 1
        assert f"batch 1: {where} is damaged" in said
        assert "restore them from a copy; or remove receipts/batch_00001.json" in said
    assert len(model.given) == IDEAL


def test_check_names_what_no_receipt_mentions(folder: Path, model: Models) -> None:
    """A copy among the files of rows would be read as rows: exit code 1. What a killed run has left is told as that."""
    assert make()[0] == 0
    rows = folder / "out/d/parquet-files"
    (rows / ".batch_00001.parquet.h.1.0.tmp").write_bytes(b"half")
    code, said = run("check", "out/d")
    assert code == 0
    assert "parquet-files/.batch_00001.parquet.h.1.0.tmp; a resume clears it away" in said
    shutil.copy(rows / "batch_00001.parquet", rows / "copy.parquet")
    code, said = run("check", "out/d")
    assert code == 1
    assert "❌ parquet-files/copy.parquet: no receipt mentions it" in said
    assert "every file is as it was committed" not in said
    (rows / "copy.parquet").unlink()
    assert run("resume", "out/d")[0] == 0
    code, said = run("check", "out/d")
    assert (code, ".tmp" in said) == (0, False)


# --- configurations that no file can carry ---------------------------------------------------------------------


def test_a_script_with_a_function_is_resumed_by_its_source(
    folder: Path, model: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python file and its arguments are remembered: `resume` loads them again, from any working directory."""
    interrupted(model, "--", "tell", answers=7, source="script.py")
    monkeypatch.chdir(folder / "out")
    code, said = run("resume", "d")
    assert code == 0, said
    assert len(model.given) == len(set(model.given)) == RECORDS
    assert all(prompt.startswith("tell ") for prompt in model.given)
    code, said = run("extend", folder / "out/d", "-n", 20)
    assert code == 0, said
    assert len(model.given) == len(set(model.given)) == 20


def test_a_script_that_changed_is_refused(folder: Path, model: Models) -> None:
    """Another body of the function: refused by the column's name; another comment is no change."""
    interrupted(model, "--", "tell", answers=7, source="script.py")
    (folder / "script.py").write_text(SCRIPT.replace("upper()", "lower()"))
    code, said = run("resume", "out/d")
    assert code == 1
    assert "the code of the function of column 'loud'" in said
    (folder / "script.py").write_text(SCRIPT.replace("def loud(row):\n", "def loud(row):\n    # as loud as can be\n\n"))
    code, said = run("resume", "out/d")
    assert code == 0, said
    assert len(model.given) == RECORDS


def test_a_script_that_is_gone_is_named(folder: Path, model: Models) -> None:
    """The remembered Python file is not there any more: exit code 1 and its path."""
    interrupted(model, "--", "tell", answers=7, source="script.py")
    (folder / "script.py").unlink()
    code, said = run("resume", "out/d")
    assert code == 1
    assert str(folder / "script.py") in said
    assert "Traceback" not in said


def test_a_dataset_of_a_script_of_its_own_says_so(folder: Path) -> None:
    """A DataFrame as seed and no file behind it: `resume` says that the script itself goes on."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[])
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"n": [1, 2, 3]})))
    builder.add_column(name="twice", column_type="expression", expr="{{ n * 2 }}")
    designer(NOWHERE, folder / "out").create(builder, num_records=3, dataset_name="d")
    code, said = run("resume", "out/d")
    assert code == 1
    assert "run the script that made it again, with resume='always'" in said


@pytest.mark.usefixtures("processes")
def test_simulated_models_are_remembered(folder: Path) -> None:
    """A dataset of `create --simulate` is extended with simulated models too, whatever provider was declared."""
    code, said = make("--simulate")
    assert code == 0, said
    code, said = run("extend", "out/d", "-n", RECORDS + 1)
    assert code == 0, said
    assert len(read(folder / "out/d")) == RECORDS + 1


def test_a_local_seed_file_is_found_from_anywhere(folder: Path, model: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed file that was named by a relative path is found by `resume` in another working directory."""
    (folder / "seeds.csv").write_text("\n".join(["id", *map(str, range(RECORDS))]))
    (folder / "seeded.yaml").write_text(SEEDED + "seed_config: {source: {seed_type: local, path: seeds.csv}}\n")
    interrupted(model, source="seeded.yaml")
    monkeypatch.chdir(folder / "out")
    code, said = run("resume", "d")
    assert code == 0, said
    assert len(model.given) == len(set(model.given)) == IDEAL


def test_scores_that_are_integers_stay_so(folder: Path, simulated: str) -> None:
    """JSON makes texts of them where they are keys; a judge that is resumed asks and answers as before."""
    name_provider(simulated, "simulated", provider_type="simulated")
    (folder / "judged.yaml").write_text(JUDGED)
    assert run("create", "judged.yaml", "-n", RECORDS, "-d", "whole", "-o", "out", *INLINE)[0] == 0
    stopped = ("--set", "budget={requests: 14}")
    assert run("create", "judged.yaml", "-n", RECORDS, "-d", "part", "-o", "out", *INLINE, *stopped)[0] == 1
    assert data_files(folder / "out/part")
    assert run("resume", "out/part", "--set", "budget=null")[0] == 0
    whole, part = (DataDesigner(folder / "out").open(name).load_dataset() for name in ("whole", "part"))
    pd.testing.assert_frame_equal(part, whole)
    assert {type(verdict["tone"]["score"]) for verdict in part["verdict"]} == {int, str}
