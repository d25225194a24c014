"""Judging: the schema that a list of scores asks for, and the answer held to it."""

import re
from collections.abc import Mapping, Sequence
from typing import TypedDict

from data_designer.columns.structured.answers import format_instructions
from data_designer.columns.structured.parsing import parse_bare_json, parse_json
from data_designer.columns.structured.schemas import mismatch, shown
from data_designer.config.column_configs import Score

Option = int | str


class Scored(TypedDict):
    """The answer to one score."""

    reasoning: str
    score: Option


class JudgeSchema:
    """A list of scores prepared for asking and for reading answers. Prepared once a step.

    Attributes:
        instructions: what is appended to the user's prompt.
        asked: the JSON schema of an answer.
    """

    def __init__(self, scores: Sequence[Score], *, bare: bool = False) -> None:
        """Prepare scores.

        Args:
            scores: what is judged.
            bare: whether answers are the JSON itself, as constrained decoding gives them, instead of a fence.
        """
        self.asked = judge_schema(scores)
        self.instructions = format_instructions(self.asked, bare=bare)
        self._read = parse_bare_json if bare else parse_json
        self._scales = {score.name: _Scale(score) for score in scores}

    def parse(self, reply: str) -> dict[str, Scored]:
        """Read `{score name: {"reasoning": text, "score": option}}` from the last JSON block of a reply.

        Raises:
            ParserException: there is none, or a score is missing or none of its options.
        """
        value = self._read(reply)
        if not isinstance(value, dict):
            raise mismatch(f"it has to be an object with the properties {_listed(self._scales)}.")
        return {name: scale.read(value.get(name)) for name, scale in self._scales.items()}


def judge_schema(scores: Sequence[Score]) -> dict[str, object]:
    """Describe as JSON Schema the answer that scores ask for."""
    keys = _definition_names(scores)
    definitions: dict[str, object] = {}
    for key, score in zip(keys, scores, strict=True):
        definitions[key] = {
            "title": score.name,
            "description": score.description,
            "type": "object",
            "properties": {
                "reasoning": {
                    "title": "Reasoning",
                    "description": "Why this score was chosen; written before the score.",
                    "type": "string",
                },
                "score": {"$ref": f"#/$defs/{key}Enum", "description": _scale_text(score)},
            },
            "required": ["reasoning", "score"],
        }
        definitions[f"{key}Enum"] = _enumeration(f"{key}Enum", list(score.options))
    return {
        "title": "JudgeStructuredOutput",
        "type": "object",
        "properties": {
            score.name: {"$ref": f"#/$defs/{key}", "description": score.description}
            for key, score in zip(keys, scores, strict=True)
        },
        "required": [score.name for score in scores],
        "$defs": definitions,
    }


class _Scale:
    """One score's options, found by what a model may write for them."""

    def __init__(self, score: Score) -> None:
        self._name = score.name
        self._options: tuple[Option, ...] = tuple(score.options)
        self._exact: dict[tuple[type, object], Option] = {(type(option), option): option for option in self._options}
        self._loose: dict[str, list[Option]] = {}
        for option in self._options:
            self._loose.setdefault(_loosely(option) or "", []).append(option)

    def read(self, answer: object) -> Scored:
        """Read one score of an answer."""
        match answer:
            case {"reasoning": str() as reasoning, "score": value}:
                return {"reasoning": reasoning, "score": self._option(value)}
            case _:
                raise mismatch(
                    f"`{self._name}` has to be an object with `reasoning` (a string) "
                    f"and `score` (one of {_listed(self._options)})."
                )

    def _option(self, value: object) -> Option:
        loose = _loosely(value)
        if loose is not None:
            if (type(value), value) in self._exact:
                return self._exact[type(value), value]
            matching = self._loose.get(loose, [])
            if len(matching) == 1:
                return matching[0]
        raise mismatch(f"`score` of `{self._name}` is {shown(value)} and has to be one of {_listed(self._options)}")


def _loosely(value: object) -> str | None:
    """Write a score so that spellings of the same option are equal; None for what cannot be one."""
    match value:
        case bool():
            return None
        case int():
            return str(value)
        case float() if value.is_integer():
            return str(int(value))
        case str():
            return value.strip().casefold()
        case _:
            return None


def _enumeration(title: str, options: list[Option]) -> dict[str, object]:
    kinds = {"integer" if isinstance(option, int) else "string" for option in options}
    kind = {"type": kinds.pop()} if len(kinds) == 1 else {}
    return {"title": title, "enum": options, **kind}


def _scale_text(score: Score) -> str:
    lines = [f"* {option}: {meaning}" for option, meaning in score.options.items()]
    return "\n".join([f"The score for {score.name}, one of:", *lines])


def _definition_names(scores: Sequence[Score]) -> list[str]:
    """Name each score's definition so that a reference can hold it, whatever the score is called."""
    names: list[str] = []
    taken: set[str] = set()
    for score in scores:
        name = re.sub(r"\W+", "_", score.name)
        while name in taken or f"{name}Enum" in taken:
            name += "_"
        taken |= {name, f"{name}Enum"}
        names.append(name)
    return names


def _listed(options: Mapping[str, object] | Sequence[Option]) -> str:
    return ", ".join(repr(option) for option in options)
