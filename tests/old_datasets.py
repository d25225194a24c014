"""Small datasets as an earlier commit leaves them: how `tests/interface/old_datasets` was made.

To make them again: `PYTHONPATH=EARLIER/src python -m tests.old_datasets FOLDER`, from a checkout of this commit. The
columns of functions are left out: their code is compared by what one version of Python compiles it to.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.counting import Reply, serve
from tests.fakes import designer, model, numbered

import data_designer.config as dd

RECORDS, EXTENDED, BUFFER = 6, 8, 3
SLOTS = 2
COLUMNS = ("draft", "facts", "code", "grade")
"""Those that a model is asked for, once a record each."""
REFUSED = 4
"""The record that the model refuses, of the dataset `lacking`."""
BUDGET = 22
"""Requests of the dataset `stopped`."""
ANSWERED = 15
"""Requests of the dataset `interrupted` that were answered."""


def declared() -> dd.DataDesignerConfigBuilder:
    """A column of each kind that is made of data alone."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m", max_parallel_requests=SLOTS)])
    made.with_seed_dataset(numbered(2 * EXTENDED))
    made.add_column(
        name="mood", column_type="sampler", sampler_type="category", params={"values": ["calm", "wild", "odd"]}
    )
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(
        name="draft", column_type="llm-text", model_alias="m", prompt="draft {{ n }} {{ mood }} {{ id }}", drop=True
    )
    made.add_column(name="loud", column_type="expression", expr="{{ draft | upper }}")
    made.add_column(
        name="facts",
        column_type="llm-structured",
        model_alias="m",
        prompt="facts {{ n }} {{ loud }}",
        output_format={
            "type": "object",
            "properties": {"size": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
            "required": ["size", "tags"],
        },
    )
    made.add_column(
        name="code", column_type="llm-code", model_alias="m", prompt="code {{ n }}", code_lang="python",
        with_trace="last_message",
    )  # fmt: skip
    made.add_column(
        name="valid",
        column_type="validation",
        target_columns=["code"],
        validator_type="code",
        validator_params={"code_lang": "python"},
    )
    score = dd.Score(name="style", description="How it reads.", options={0: "badly", 1: "so so", 2: "well"})
    made.add_column(
        name="grade", column_type="llm-judge", model_alias="m", prompt="grade {{ n }} {{ code }}", scores=[score]
    )
    return made.add_processor(processor_type="schema_transform", name="chat", template={"q": "{{ n }}"})


def record_of(prompt: str) -> int:
    """The record that a prompt is about."""
    found = re.match(r"\w+ (\d+)", prompt)
    assert found is not None
    return int(found.group(1))


def answer(prompt: str) -> Reply:
    """A reply that fits the column of a prompt, which is its first word."""
    record = record_of(prompt)
    match prompt.partition(" ")[0]:
        case "facts":
            return _fenced("json", json.dumps({"size": record, "tags": ["x"] * (record % 3)}))
        case "code":
            return _fenced("python", f"x = {record}")
        case "grade":
            return _fenced("json", json.dumps({"style": {"reasoning": f"reason {record}", "score": record % 3}}))
        case _:
            return Reply(f"text {record}")


def _fenced(language: str, text: str) -> Reply:
    return Reply(f"```{language}\n{text}\n```")


def make(url: str, path: Path, name: str, records: int = RECORDS, **options: Any) -> Any:
    """Make one of the datasets, or go on with it; `run` among the options are its settings."""
    run = {"buffer_size": BUFFER, "max_concurrent_row_groups": 1, "disable_early_shutdown": True}
    maker = designer(url, path, **{**run, **options.pop("run", {})})
    return maker.create(declared(), num_records=records, dataset_name=name, **options)


def asked(prompts: Iterable[str]) -> list[str]:
    """What prompts are about: column and record."""
    return sorted(" ".join(prompt.split()[:2]) for prompt in prompts)


def make_all(folder: Path) -> None:
    """Make all of them, beside them the rows that they should have, and what was answered of those not finished."""
    answered: dict[str, list[str]] = {}
    with serve(answer) as endpoint:
        make(endpoint.url, folder, "finished")
        make(endpoint.url, folder, "extended")
        make(endpoint.url, folder, "extended", EXTENDED, resume="always", run={"buffer_size": 2})
        make(endpoint.url, folder, "whole", EXTENDED).export(folder / "rows.jsonl")
        shutil.rmtree(folder / "whole")
    with serve(answer) as endpoint:
        make(endpoint.url, folder, "stopped", run={"budget": {"requests": BUDGET}})
        answered["stopped"] = asked(endpoint.prompts)
    with serve(lambda prompt: Reply("no", 400) if record_of(prompt) == REFUSED else answer(prompt)) as endpoint:
        make(endpoint.url, folder, "lacking")
        answered["lacking"] = asked(prompt for prompt in endpoint.prompts if record_of(prompt) != REFUSED)
    answered["interrupted"] = asked(interrupt(folder))
    (folder / "answered.json").write_text(json.dumps(answered), encoding="utf-8")


def interrupt(folder: Path) -> list[str]:
    """Kill a run when its model has answered some requests; gives these."""
    answered: list[str] = []
    turn, held, killed = threading.Lock(), threading.Semaphore(0), threading.Event()

    def answer_some(prompt: str) -> Reply:
        with turn:
            holds = len(answered) == ANSWERED
            if not holds:
                answered.append(prompt)
        if holds:
            held.release()
            killed.wait(60)
        return answer(prompt)

    with serve(answer_some) as endpoint:
        program = [sys.executable, "-m", "tests.old_datasets", str(folder), endpoint.url]
        run = subprocess.Popen(program, cwd=Path(__file__).parents[1])
        for _ in range(SLOTS):  # A slot is given back when the reply before is in the journal.
            held.acquire()
        run.kill()
        run.wait()
        killed.set()
    shutil.rmtree(folder / "interrupted" / "lock")  # It names the machine, and is void.
    return answered


if __name__ == "__main__":
    target = Path(sys.argv[1]).absolute()
    os.chdir("/")  # Where a dataset is made is written into it.
    if len(sys.argv) > 2:
        make(sys.argv[2], target, "interrupted")
    else:
        make_all(target)
