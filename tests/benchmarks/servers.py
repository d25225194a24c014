"""Asks a server that somebody else wrote, and prints a table of what works there.

    python tests/benchmarks/servers.py --endpoint http://127.0.0.1:4100/v1 --model NAME
    python tests/benchmarks/servers.py --endpoint http://127.0.0.1:4100 --model NAME --provider-type anthropic
    python tests/benchmarks/servers.py --endpoint https://host/v1 --model NAME --key-env MY_KEY --executor inline

Each line of the table is a dataset of its own: text, structured output in each of the three modes, a wrong key, and a
model that is not there. Every structured cell that was kept is held against its schema here, not by the engine alone.
Ends with status 1 where something went wrong: text that is missing, a cell that does not fit, a record that is neither
there nor has a kind of failure, an error of another kind than was to come. That a server constrains nothing, knows no
keys or takes any name for a model is no fault.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jsonschema

import data_designer.config as dd
from data_designer.errors import DataDesignerError, ModelError
from data_designer.interface import DataDesigner
from data_designer.values import Usage

CELL = "cell"
"""The column that the model makes."""
KEY = "SERVERS_KEY"
"""Environment variable under which workers and this process find the key."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 24},
        "mood": {"type": "string", "enum": ["calm", "merry", "grim"]},
        "score": {"type": "integer", "minimum": 1, "maximum": 10},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["old", "new", "rare"]}, "maxItems": 3},
    },
    "required": ["title", "mood", "score", "tags"],
    "additionalProperties": False,
}
"""Bounded everywhere, so a constrained reply ends even where the model knows nothing."""
_WRONG_KEY = "sk-wrong-000000000000"
_NO_MODEL = "there-is-no-such-model"
_REFUSED_KEY = {"ModelAuthenticationError", "ModelPermissionDeniedError"}
_REFUSED_MODEL = {"ModelNotFoundError", "ModelBadRequestError", "ModelPermissionDeniedError"}
_NOT_NATIVE = {"ModelStructuredOutputError"}
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Server:
    """Where is asked, and how."""

    endpoint: str
    model: str
    provider_type: str = "openai"
    key: str | None = None
    records: int = 40
    slots: int = 4
    max_tokens: int = 512
    timeout: int = 120
    executor: str = "inline"

    def builder(self, mode: str | None) -> dd.DataDesignerConfigBuilder:
        """Declares a dataset with one column that the model makes: text, or JSON asked for in one of the modes."""
        params = dd.ChatCompletionInferenceParams(
            max_parallel_requests=self.slots,
            max_tokens=self.max_tokens,
            timeout=self.timeout,
            structured_output=mode or "prompt",
        )
        model = dd.ModelConfig(alias="writer", model=self.model, provider="server", inference_parameters=params)
        builder = dd.DataDesignerConfigBuilder(model_configs=[model])
        builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
        column = {"name": CELL, "model_alias": "writer", "prompt": "Write one record about order {{ id }}."}
        if mode is None:
            builder.add_column(column_type="llm-text", **column)
        else:
            builder.add_column(column_type="llm-structured", output_format=SCHEMA, **column)
        return builder

    def designer(self, folder: Path) -> DataDesigner:
        """Makes datasets in the folder; a cell that fails is null and says why."""
        os.environ.pop(KEY, None)
        if self.key is not None:
            os.environ[KEY] = self.key
        provider = dd.ModelProvider(
            name="server",
            endpoint=self.endpoint,
            provider_type=self.provider_type,
            api_key=None if self.key is None else KEY,
        )
        designer = DataDesigner(artifact_path=folder, model_providers=[provider])
        run_config = dd.RunConfig(
            executor=self.executor, on_row_failure="null", disable_early_shutdown=True, otel_metrics_port=None
        )
        designer.set_run_config(run_config)
        return designer


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one dataset."""

    asked: int
    cells: list[Any] = field(default_factory=list)
    """Those that were made."""
    failed: dict[str, int] = field(default_factory=dict)
    """Kind of failure to the number of cells it cost."""
    tried_again: dict[str, int] = field(default_factory=dict)
    """Kind of failed attempt to its count."""
    usage: Usage = field(default_factory=Usage)
    first_pass: int = 0
    """Cells that took the first reply."""
    seconds: float = 0.0
    refusal: str | None = None
    """Kind of the error that ended the run before it began."""
    said: str = ""

    @property
    def is_counted(self) -> bool:
        """Whether every cell is there or has a kind of failure, and tokens of replies were counted."""
        complete = len(self.cells) + sum(self.failed.values()) == self.asked
        return complete and (not self.cells or min(self.usage.input_tokens, self.usage.output_tokens) > 0)

    @property
    def misfits(self) -> int:
        """Cells that do not fit the schema."""
        fits = jsonschema.Draft202012Validator(SCHEMA).is_valid
        return sum(not fits(cell) for cell in self.cells)


def see(server: Server, mode: str | None) -> Seen:
    """Make one dataset and look at all of it."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        designer = server.designer(Path(folder))
        try:
            results = designer.create(server.builder(mode), num_records=server.records)
        except DataDesignerError as error:
            refused = next((one for one in _causes(error) if isinstance(one, ModelError)), error)
            seconds = time.perf_counter() - began
            return Seen(server.records, refusal=type(refused).__name__, said=str(refused), seconds=seconds)
        outcomes = results.outcomes
        seconds = time.perf_counter() - began
        rows = json.loads(results.load_dataset().to_json(orient="records"))
    spent = outcomes.columns[CELL]
    return Seen(
        asked=server.records,
        cells=[row[CELL] for row in rows if row[CELL] is not None],
        failed={kind: found["count"] for kind, found in outcomes.reasons.items()},
        tried_again={kind: found["count"] for kind, found in outcomes.retried.get("writer", {}).items()},
        usage=spent.usage,
        first_pass=spent.first_pass,
        seconds=seconds,
        said="; ".join(found["message"] for found in outcomes.reasons.values()),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


Judgement = tuple[bool, str]
"""Whether the engine did right, and what can be said of the server."""
_NOTHING: Judgement = (False, "no dataset")


def _judge_text(seen: Seen) -> Judgement:
    if seen.refusal:
        return _NOTHING
    whole = len(seen.cells) == seen.asked and seen.is_counted and all(cell.strip() for cell in seen.cells)
    return whole, "works" if whole else "incomplete"


def _judge_prompt(seen: Seen) -> Judgement:
    if seen.refusal:
        return _NOTHING
    if not seen.cells:
        return seen.is_counted, "nothing parsed"
    return not seen.misfits and seen.is_counted, f"{len(seen.cells)} of {seen.asked} fit"


def _judge_native(seen: Seen) -> Judgement:
    if seen.refusal:
        return (True, "not constrained") if seen.refusal in _NOT_NATIVE else _NOTHING
    return not seen.misfits and seen.is_counted, "works" if len(seen.cells) == seen.asked else "incomplete"


def _judge_refusal(expected: set[str]) -> Callable[[Seen], Judgement]:
    def judge(seen: Seen) -> Judgement:
        return (True, "accepted") if seen.refusal is None else (seen.refusal in expected, "refused")

    return judge


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table."""

    name: str
    judge: Callable[[Seen], Judgement]
    mode: str | None = None
    """How JSON is asked for; None for text."""
    changes: dict[str, Any] = field(default_factory=dict)
    """What is other than at the server that was named."""


CHECKS = [
    Check("text", _judge_text),
    Check("prompt", _judge_prompt, "prompt"),
    Check("native", _judge_native, "native"),
    Check("auto", _judge_prompt, "auto"),
    Check("wrong-key", _judge_refusal(_REFUSED_KEY), changes={"key": _WRONG_KEY, "records": 2}),
    Check("no-model", _judge_refusal(_REFUSED_MODEL), changes={"model": _NO_MODEL, "records": 2}),
]
_COLUMNS = ("check", "verdict", "server", "cells", "first", "requests", "in", "out", "seconds", "kinds")


def _line(check: Check, seen: Seen) -> tuple[bool, list[str]]:
    right, server = check.judge(seen)
    kinds = [f"{kind} {count}" for kind, count in seen.failed.items()]
    kinds += [f"{kind} {count} (attempts)" for kind, count in seen.tried_again.items()]
    usage = seen.usage
    figures = [f"{len(seen.cells)}/{seen.asked}", seen.first_pass, usage.requests, usage.input_tokens]
    figures += [usage.output_tokens, f"{seen.seconds:.1f}", seen.refusal or ", ".join(kinds)]
    return right, [check.name, "right" if right else "WRONG", server, *map(str, figures)]


def table(lines: Sequence[Sequence[str]]) -> str:
    """Lines below their headings, aligned."""
    cells = [list(_COLUMNS), *map(list, lines)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_COLUMNS))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def run(server: Server, only: Sequence[str]) -> bool:
    """Make the checks and print what came of them; gives whether the engine did right in all."""
    lines, said, all_right = [], [], True
    for check in CHECKS:
        if only and check.name not in only:
            continue
        seen = see(replace(server, **check.changes), check.mode)
        right, line = _line(check, seen)
        all_right &= right
        lines.append(line)
        if seen.said:
            said.append(f"{check.name}: {seen.said[:_LONGEST]}")
    print("\n".join([table(lines), *said]), flush=True)
    return all_right


def main() -> None:
    """Ask one server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--key-env", metavar="VAR", help="environment variable that holds the key")
    parser.add_argument("--provider-type", choices=["openai", "anthropic"], default="openai")
    parser.add_argument("--records", type=int, default=40)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--timeout", type=int, default=120, help="seconds until a request is given up")
    parser.add_argument("--executor", choices=["inline", "ray"], default="inline")
    parser.add_argument("--only", nargs="+", choices=[check.name for check in CHECKS], default=[])
    given = vars(parser.parse_args())
    only, key_env = given.pop("only"), given.pop("key_env")
    server = Server(**given, key=os.environ[key_env] if key_env else None)
    sys.exit(0 if run(server, only) else 1)


if __name__ == "__main__":
    main()
