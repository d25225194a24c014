"""`data-designer show` where there is no terminal, and on one."""

import json
import os
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.commands import GOOD, INLINE, name_provider, run
from tests.counting import Endpoint, Reply
from tests.fakes import NOWHERE

pytestmark = pytest.mark.usefixtures("sockets")

ESCAPE = "\x1b]0;mine\x07"
"""Sets the title of a terminal."""


def answer(prompt: str) -> Reply:
    """Refuses records whose id begins so; answers others with what a terminal or rich would obey."""
    if re.match(r"better .*about [0-3]", prompt):
        return Reply(f"no {ESCAPE}", 400)
    return Reply(f"[bold]{prompt}[/bold] :smile: {ESCAPE}")


@pytest.fixture(scope="module")
def made(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of twenty records in batches of five, some rejected, of which all conversations are kept."""
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("work")
    (folder / "good.yaml").write_text(GOOD)
    with pytest.MonkeyPatch.context() as patch, endpoint(answer) as counted:
        patch.setenv("DATA_DESIGNER_HOME", str(home))
        name_provider(counted.url)
        settings = (*INLINE, "--set", "keep_conversations=all", "--set", "disable_early_shutdown=true")
        code, said = run("create", folder / "good.yaml", "-n", 20, "-o", folder / "artifacts", "-d", "d", *settings)
        assert code == 0, said
    return folder / "artifacts/d"


@pytest.fixture
def gone(made: Path) -> int:
    """The first record that was rejected."""
    code, said = run("show", made, "--rejected", "--json")
    assert code == 0, said
    return int(json.loads(said)["record_index"])


def test_without_a_terminal_one_record_is_printed(made: Path) -> None:
    """The first, or the one that is named; text of others does nothing."""
    code, said = run("show", made)
    assert code == 0
    assert said.startswith("record 0 of 20 ")
    assert run("show", made, "--record", 5)[1].startswith("record 5 of 20 ")
    assert "[bold]" in said
    assert ":smile:" in said
    assert "\x1b" not in said
    assert "\\x1b]0;mine\\x07" in said


def test_a_rejected_record_says_why_and_how_to_see_what_was_said(made: Path, gone: int) -> None:
    """Its reason, and the command that prints its prompts and replies."""
    code, said = run("show", made, "--rejected")
    assert code == 0
    assert f"record {gone} of 20 rejected: column final kind: ModelBadRequestError" in said
    assert f"prompts and replies: data-designer show {made} --record {gone} --column final" in said
    again = run("show", made, "--record", gone)[1]
    assert again == said


def test_a_cell_is_printed_with_prompt_and_reply(made: Path, gone: int) -> None:
    """As text and as JSON."""
    code, said = run("show", made, "--record", gone, "--column", "final")
    assert code == 0
    assert f"record {gone}, column final: failed" in said
    assert "--- user better [bold]about" in said
    assert "=== failed: ModelBadRequestError" in said
    assert "\x1b" not in said
    data = json.loads(run("show", made, "--record", gone, "--column", "draft", "--json")[1])
    assert (data["column"], data["fate"], data["requests"]) == ("draft", "ok", 1)
    assert data["turns"][0]["reply"]["text"].startswith("[bold]about")


def test_a_text_is_searched_for(made: Path) -> None:
    """From the record that is named on; where there is none, that is the error."""
    third = json.loads(run("show", made, "--record", 3, "--json")[1])
    assert json.loads(run("show", made, "--search", third["values"]["id"].upper(), "--json")[1]) == third
    code, said = run("show", made, "--search", third["values"]["id"], "--record", 4)
    assert code == 1
    assert f"❌ no record holds '{third['values']['id']}' from record 4 on" in said


def test_a_dataset_in_artifacts_is_named_by_its_name(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong name is answered with one that is near."""
    monkeypatch.chdir(made.parent.parent)
    assert run("show", "d")[0] == 0
    assert run("show", "artifacts/d")[0] == 0
    code, said = run("show", "dd")
    assert code == 1
    assert "did you mean 'd'?" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--record", 20), "there is no record 20; records are 0 to 19"),
        (("--column", "fnal"), "no model is asked for a column 'fnal'; did you mean 'final'?"),
        (("--rejected", "--search", "x"), "give --rejected or --search, not both"),
        (("--rejected", "--record", 19), "no record was rejected from record 19 on"),
    ],
)
def test_what_is_wrong_is_one_line(made: Path, arguments: tuple[object, ...], words: str) -> None:
    """And exit code 1."""
    code, said = run("show", made, *arguments)
    assert code == 1
    assert f"❌ {words}" in said


@pytest.mark.usefixtures("processes")
def test_a_reader_that_has_read_enough_is_no_error(made: Path) -> None:
    """As with `head`: nothing is said about it."""
    ours, theirs = os.pipe()
    command = [sys.executable, "-m", "data_designer.cli.main", "show", str(made)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    os.close(ours)
    process = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(theirs)
    assert (process.returncode, process.stderr) == (1, b"")


class Screen:
    """A terminal of 80 columns on which the command runs."""

    def __init__(self, *arguments: object) -> None:
        self.ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (30, 80))
        command = [sys.executable, "-m", "data_designer.cli.main", *map(str, arguments)]
        environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        self.seen = ""

    def until(self, words: str) -> str:
        """Read until the screen says something; gives what was read since the last call."""
        text, end = "", time.monotonic() + 60
        while words not in text:
            assert time.monotonic() < end, text
            if select.select([self.ours], [], [], 1.0)[0]:
                text += os.read(self.ours, 1 << 16).decode(errors="replace")
        return text

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self.ours, keys.encode())


@pytest.fixture
def screen(processes: None) -> Callable[..., Screen]:
    """Start the command on a terminal."""
    return Screen


def test_on_a_terminal_keys_lead_from_record_to_cell_and_back(
    made: Path, gone: int, screen: Callable[..., Screen]
) -> None:
    """Next, jump, rejected only, the conversation, and the end, after which the terminal is as it was."""
    one = screen("show", made)
    one.until("0 of 20")
    one.press("n")
    one.until("1 of 20")
    one.press("g12\r")
    one.until("12 of 20")
    one.press("r")
    assert "only rejected" in one.until("rejected  ")
    one.press("c")
    assert "--- user" in re.sub(r"\x1b\[[0-9;]*m", "", one.until("esc"))
    one.press("q")
    assert one.until("\x1b[?1049l")
    assert one.process.wait(30) == 0
    os.close(one.ours)


# --- previews and dry runs -------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration, in a working directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    return tmp_path / "good.yaml"


def test_a_preview_shows_prompts_of_rejected_records_too(endpoint: Endpoint, config: Path) -> None:
    """Those that are there beside their records, the others after them."""
    with endpoint(answer) as counted:
        name_provider(counted.url)
        code, said = run("preview", config, "-n", 20, "--seed", 1, "--show-prompts", "--non-interactive")
    assert code == 0
    assert all(f"record {index}, column draft: ok" in said for index in range(20))
    assert "column final: failed" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("command", "records"),
    [
        (("preview",), 3),
        (("preview", "-n", 5), 5),
        (("create",), 3),
        (("create", "-n", 1_000_000), 3),
        (("create", "-n", 2), 2),
    ],
)
def test_a_dry_run_prints_prompts_and_asks_nobody(config: Path, command: tuple[object, ...], records: int) -> None:
    """Of three records, or fewer; a preview's of as many as it is told."""
    name_provider(NOWHERE, api_key="KEY_THAT_IS_NOT_SET")
    name, *options = command
    code, said = run(name, config, *options, "--dry-run")
    assert code == 0, said
    assert said.count("##### record") == records
    assert "=== final: large (alias b) --- user better <draft>" in said
    assert [path.name for path in config.parent.iterdir()] == ["good.yaml"]
