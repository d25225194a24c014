"""How endpoints are asked to constrain a reply to a JSON schema.

Sources: OpenAI's structured outputs (`response_format`), which vLLM, SGLang, llama.cpp, Ollama and NIM take too; vLLM's
`structured_outputs` and, before version 0.12, `guided_json`; NIM's `nvext`.
"""

import re
from collections.abc import Callable, Mapping

Schema = Mapping[str, object]


def constraint(form: str, name: str, schema: Schema) -> dict[str, object]:
    """Fields of a request that constrain its reply.

    Args:
        form: one of `FORMS`.
        name: the column's.
        schema: what the reply has to fit.
    """
    return FORMS[form](name, schema)


def _response_format(name: str, schema: Schema) -> dict[str, object]:
    named = {"name": re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "reply", "schema": schema}
    strict = {"strict": True} if _closed(schema) else {}
    return {"response_format": {"type": "json_schema", "json_schema": {**named, **strict}}}


def _closed(schema: object) -> bool:
    """Whether every object says all of its members, and demands them, as OpenAI's strict mode wants it."""
    if isinstance(schema, list):
        return all(map(_closed, schema))
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        members = set(schema.get("properties", ()))
        if schema.get("additionalProperties") is not False or members != set(schema.get("required", ())):
            return False
    return all(map(_closed, schema.values()))


FORMS: dict[str, Callable[[str, Schema], dict[str, object]]] = {
    "response_format": _response_format,
    "structured_outputs": lambda _, schema: {"structured_outputs": {"json": schema}},
    "guided_json": lambda _, schema: {"guided_json": schema},
    "nvext": lambda _, schema: {"nvext": {"guided_json": schema}},
}
"""Name to what it adds to a request; those that more endpoints take come first."""
