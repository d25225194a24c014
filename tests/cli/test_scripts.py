"""Python configurations: one that cannot be one is refused before it runs, and what fails in one is named by line."""

import warnings
from pathlib import Path

import pytest
from tests.cli.commands import run

HEAD = "import data_designer.config as dd\nfrom data_designer.interface import DataDesigner\nopen('ran', 'w').close()\n"
FUNCTION = "def load_config_builder():\n    return dd.DataDesignerConfigBuilder()\n"
BEFORE: dict[str, tuple[str, str]] = {
    "no function": (HEAD, "s.py has no function load_config_builder(), so it was not run; add def load_config_builder"),
    "no function, and it makes records": (
        f"{HEAD}made = DataDesigner('out')\nmade.create(dd.DataDesignerConfigBuilder())\n",
        "line 5 makes records by itself: `python s.py` runs it as it is",
    ),
    "it makes records whenever it is loaded": (
        f"{HEAD}{FUNCTION}if True:\n    DataDesigner('out').preview(load_config_builder())\n",
        "s.py: line 7 makes records by itself whenever the file is loaded, so it was not run; put it under if __name__",
    ),
    "no Python": (f"{HEAD}def x(:\n", "s.py:4: invalid syntax; nothing of it was run"),
    "a null": (f"{HEAD}\0", "s.py"),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("what", BEFORE)
@pytest.mark.parametrize("command", ["validate", "create"])
def test_a_script_that_is_no_configuration_is_not_run(what: str, command: str) -> None:
    """Its text shows it; the message says what to add."""
    text, expected = BEFORE[what]
    Path("s.py").write_text(text)
    code, said = run(command, "s.py")
    assert code == 1
    assert expected in said
    assert not Path("ran").exists()


FINE = {
    "defined": FUNCTION,
    "assigned": "load_config_builder = lambda: dd.DataDesignerConfigBuilder()\n",
    "imported": "from other import load_config_builder\n",
    "imported with all": "from other import *\n",
    "beside a main guard": f"{FUNCTION}if __name__ == '__main__':\n    DataDesigner('out').create(None)\n",
    "beside a function that makes records": f"{FUNCTION}def f():\n    DataDesigner('out').create(None)\n",
}


@pytest.mark.parametrize("how", FINE)
def test_a_script_that_may_be_one_is_run(how: str) -> None:
    """However it comes by the function."""
    Path("other.py").write_text(f"import data_designer.config as dd\n{FUNCTION}")
    Path("s.py").write_text(HEAD + FINE[how])
    _, said = run("validate", "s.py")
    assert "nothing is left to write" in said  # The builder has no columns.
    assert Path("ran").exists()


def test_what_fails_in_a_script_is_said_once_with_its_line() -> None:
    """The last line of the user's own, whatever it called; with --debug the traceback, once."""
    Path("s.py").write_text(
        f"{HEAD}def load_config_builder():\n    return helper()\ndef helper():\n    return int('x')\n"
    )
    code, said = run("validate", "s.py")
    assert code == 1
    assert "s.py:7: ValueError: invalid literal for int()" in said
    assert said.endswith("return int('x')")
    assert "Traceback" not in said
    code, said = run("validate", "s.py", "--debug")
    assert code == 1
    assert said.count("Traceback") == said.count("❌") > 0  # What is said is in it twice.


def test_faults_of_a_column_of_a_script_name_the_column_and_the_line() -> None:
    """All of them."""
    column = "name='x', column_type='sampler', sampler_type='category', params={'vals': [1]}, drp=True"
    Path("s.py").write_text(
        f"{HEAD}def load_config_builder():\n    return dd.DataDesignerConfigBuilder().add_column({column})\n"
    )
    _, said = run("validate", "s.py")
    assert "s.py:5: 3 things are wrong with column 'x':" in said
    assert "did you mean 'values'?" in said
    assert "did you mean 'drop'?" in said


def test_what_a_script_warns_of_is_a_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the line of code that it came from."""
    Path("s.py").write_text(f"{HEAD}import warnings\nwarnings.warn('mind the step')\n{FUNCTION}")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        _, said = run("validate", "s.py")
    assert "mind the step" in said + capsys.readouterr().err
    assert "warnings.warn(" not in said


def test_a_file_that_is_not_there_may_be_meant_otherwise() -> None:
    """Among those beside it."""
    Path("reviews.py").write_text("")
    Path("topics.yaml").write_text("")
    assert "did you mean 'reviews.py'?" in run("validate", "revews.py")[1]
    assert "did you mean 'topics.yaml'?" in run("validate", "topic.yaml")[1]
    assert "did you mean" not in run("validate", "zzz.yaml")[1]
