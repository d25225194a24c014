"""Finds out how an endpoint constrains its replies to a JSON schema, by asking for something no model would say."""

import asyncio
import logging
from collections.abc import MutableMapping, Sequence

import orjson

from data_designer.errors import ModelError, ModelStructuredOutputError
from data_designer.models.model import Model
from data_designer.models.opening import open_model
from data_designer.models.parameter_sampling import as_of_no_row
from data_designer.models.wires import wire_of
from data_designer.plan.constraints import FORMS, constraint
from data_designer.plan.model import Pool
from data_designer.values import ChatRequest, ChatResponse, Message

logger = logging.getLogger(__name__)

_SIGN = "constrained-7f3a"
_SCHEMA = {
    "type": "object",
    "properties": {"sign": {"type": "string", "enum": [_SIGN]}},
    "required": ["sign"],
    "additionalProperties": False,
}
_TRIES = 2
"""Of each form, since endpoints err."""
_ROOM = 256
"""Tokens that the sign fits into, white space that some models add included."""
_QUIET = 5.0
"""Seconds until it is said what is waited for."""
_MESSAGES: list[Message] = [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]

Known = MutableMapping[tuple[str, ...], str | None]
"""Addresses and model to the form that works there; None where none does."""


async def find_forms(pools: Sequence[tuple[Pool, str | None]], known: Known) -> dict[str, str | None]:
    """Which form of constraint works for each alias; None where its prompt has to do.

    Args:
        pools: each alias's pool with its resolved key.
        known: what was found before, which is added to: an endpoint is probed once.

    Raises:
        ModelStructuredOutputError: an alias insists on `native`, and no form works.
    """
    from data_designer.models.http_sessions import kept_open

    # Aliases that share an endpoint and a model share the probe; one that insists is to hear what went wrong.
    asked = {_where(pool): (pool, key) for pool, key in sorted(pools, key=lambda one: _insists(one[0]))}
    aliases = ", ".join(f"'{pool.alias}'" for pool, _ in asked.values())
    words = ("waiting for %s to show in what form replies in JSON can be asked for", aliases)
    late = asyncio.get_running_loop().call_later(_QUIET, logger.info, *words)
    try:
        async with kept_open():
            forms = await asyncio.gather(*(_form(pool, key, known) for pool, key in asked.values()))
    finally:
        late.cancel()
    by_place = dict(zip(asked, forms, strict=True))
    found = {pool.alias: by_place[_where(pool)] for pool, _ in pools}
    for pool, _ in pools:
        if found[pool.alias] is None and _insists(pool):
            raise ModelStructuredOutputError(
                f"{pool.subject} asks for structured_output='native', but its "
                f"endpoint constrains nothing, in none of the forms {', '.join(FORMS)}; use 'auto' or 'prompt'"
            )
    return found


def _where(pool: Pool) -> tuple[str, ...]:
    return (*((pool.provider.name,) if pool.client else pool.provider.addresses), pool.model_name)


def _insists(pool: Pool) -> bool:
    return pool.chat.structured_output == "native"


async def _form(pool: Pool, key: str | None, known: Known) -> str | None:
    where = _where(pool)
    if where in known:
        return known[where]
    try:
        form, is_sure = await _probe(pool, key)
    except ModelError:
        # An endpoint that does not answer at all says nothing of what it can do.
        if _insists(pool):
            raise
        return None
    if is_sure:
        known[where] = form
    return form


async def _probe(pool: Pool, key: str | None) -> tuple[str | None, bool]:
    """The first form that works, and whether another try would find the same. Raises ModelError without any answer."""
    if not wire_of(pool).constrains_json:
        return None, True
    async with open_model(pool, key) as model:
        return await _probed(model, pool)


async def _probed(model: Model, pool: Pool) -> tuple[str | None, bool]:
    answers = 0
    # An alias whose replies are short by its own wish must not cut the probe's.
    room = {"max_tokens": _ROOM} if pool.chat.max_tokens else {}
    trouble: ModelError | None = None
    is_sure = True
    for form in FORMS:
        request = as_of_no_row(ChatRequest(_MESSAGES, {**constraint(form, "probe", _SCHEMA), **room}), pool)
        heard = False
        for _ in range(_TRIES):
            try:
                response = await model.ask(request)
            except ModelError as error:
                trouble = error
                if not error.retryable:
                    heard = True
                    break
            else:
                heard, answers = True, answers + 1
                if isinstance(response, ChatResponse) and _is_sign(response.text):
                    return form, True
        is_sure = is_sure and heard
    if trouble is not None and not answers:
        raise trouble
    return None, is_sure


def _is_sign(text: str) -> bool:
    try:
        return bool(orjson.loads(text) == {"sign": _SIGN})
    except orjson.JSONDecodeError:
        return False
