"""Answers in JSON: what the prompt says about their form, and how a reply is held to it."""

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice

from data_designer.columns.patterns import matcher, patterns_of
from data_designer.columns.structured.parsing import parse_bare_json, parse_json
from data_designer.columns.structured.pruning import Judge, Pruner
from data_designer.columns.structured.schema_check import SchemaCheck, Validator, WorkError, limit_work
from data_designer.columns.structured.schemas import Schema, listed, mismatch, parts_of, resolved
from data_designer.errors import ParserException

_SHOWN_ERRORS = 5
_SHOWN_CHARACTERS = 300


class ResponseSchema:
    """A JSON Schema prepared for asking and for judging answers. Prepared once a step.

    Attributes:
        instructions: what is appended to the user's prompt.
        asked: the schema as it was given.
    """

    def __init__(self, schema: Schema, *, bare: bool = False) -> None:
        """Prepare a schema.

        Args:
            schema: what answers have to fit.
            bare: whether answers are the JSON itself, as constrained decoding gives them, instead of a fence.
        """
        self.instructions = format_instructions(schema, bare=bare)
        self.asked = schema
        self._read = parse_bare_json if bare else parse_json
        self._schema = _relaxed(schema)
        self._check = SchemaCheck(self._schema, self._schema)
        self._pruner = Pruner(self._schema, self._judge_for)

    def parse(self, reply: str) -> object:
        """Take the last JSON block of a reply, without undeclared properties.

        Raises:
            ParserException: there is none, or it does not fit the schema.
        """
        return self.fitted(self._read(reply))

    def fitted(self, value: object) -> object:
        """Give the value without undeclared properties, its decimals as `Decimal`.

        Raises:
            ParserException: it does not fit the schema; the text names each place.
        """
        limit_work()
        try:
            pruned = self._pruner.prune(value)
            judged = self._pruner.judged(pruned)
            mismatches = [] if self._check.fits(judged) else _mismatches(self._check.exact, judged)
        except RecursionError as error:
            raise mismatch("it is nested too deeply.") from error
        except WorkError as error:
            raise mismatch("it has too many variants inside one another to be checked. Give simpler JSON.") from error
        finally:
            limit_work(math.inf)
        if mismatches:
            raise ParserException(
                "The JSON doesn't match requested <response_schema>:\n"
                + "\n".join(mismatches)
                + "\nAnswer again with the whole JSON, corrected."
            )
        return pruned

    def _judge_for(self, schema: object) -> Judge:
        return SchemaCheck(schema, self._schema).fits


def format_instructions(schema: Schema, *, bare: bool = False) -> str:
    """Say to a model in which form the answer is wanted: JSON in a fence, or nothing but JSON."""
    fence = "* Put the JSON into one Markdown code fence tagged `json`, opened by ```json and closed by ```.\n"
    return (
        "* Answer with JSON.\n"
        f"{'' if bare else fence}"
        "* The JSON has to be valid under the JSON Schema between the <response_schema> tags.\n\n"
        f"<response_schema>\n{json.dumps(schema, ensure_ascii=False)}\n</response_schema>"
    )


def schema_violations(schema: Schema) -> list[str]:
    """List what keeps a schema from being used; empty when it is fine."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return [f"output_format is no valid JSON Schema at {error.json_path}: {error.message}"]
    refs = {ref for part in parts_of(schema) if isinstance(ref := part.get("$ref"), str)}
    unknown = [
        f"output_format refers to {ref!r}, which is not in the schema"
        for ref in sorted(refs)
        if not _resolves(schema, ref)
    ]
    return [*unknown, *_unusable_patterns(schema)]


def _unusable_patterns(schema: Schema) -> Iterator[str]:
    keywords = {keyword for part in parts_of(schema) for keyword in part}
    if {"patternProperties", "unevaluatedProperties"} <= keywords:
        yield "output_format has patternProperties and unevaluatedProperties; use additionalProperties instead"
    for pattern in sorted(set(patterns_of(schema))):
        try:
            matcher(pattern)
        except ValueError as error:
            yield f"output_format has a pattern that is not supported: {error}; write it without what only Python has"


def _mismatches(validator: Validator, value: object) -> list[str]:
    """Say for the first places that do not fit where they are and what is wrong."""
    from jsonschema.exceptions import best_match

    lines = []
    for error in islice(validator.iter_errors(value), _SHOWN_ERRORS):
        cause = best_match([error]) or error
        message = cause.message
        if len(message) > _SHOWN_CHARACTERS:
            message = f"{message[:_SHOWN_CHARACTERS]}..."
        lines.append(f"- at {cause.json_path[:_SHOWN_CHARACTERS]}: {message}")
    return lines


def _relaxed(schema: object) -> object:
    """Copy a schema so that several variants of an object may fit; pruning has decided which one is meant."""
    match schema:
        case Mapping():
            copy = {key: _relaxed(value) for key, value in schema.items()}
            if "anyOf" not in copy and _offers_objects(schema):
                copy["anyOf"] = copy.pop("oneOf")
            return copy
        case list():
            return [_relaxed(value) for value in schema]
        case _:
            return schema


def _offers_objects(schema: Schema) -> bool:
    return any(
        isinstance(part, Mapping) and ("$ref" in part or part.get("type") == "object")
        for part in listed(schema, "oneOf")
    )


def _resolves(schema: Schema, ref: str) -> bool:
    try:
        resolved(schema, ref)
    except (LookupError, ValueError):
        return False
    return True
