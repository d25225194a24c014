"""Jinja templates as declarations: do they parse, and which names do they refer to."""

from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, meta

from data_designer.errors import UserJinjaTemplateSyntaxError

_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 - text for models, not for browsers
_ENVIRONMENT.filters["jsonpath"] = lambda value, path: [value, path]


@lru_cache(maxsize=4096)
def references(template: str) -> frozenset[str]:
    """Names a template refers to and does not define itself.

    Raises:
        UserJinjaTemplateSyntaxError: the template does not parse.
    """
    try:
        return frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(template)))
    except TemplateSyntaxError as error:
        raise UserJinjaTemplateSyntaxError(
            f"the template does not parse at line {error.lineno}: {error.message}; template: {template[:200]!r}"
        ) from error


def check_syntax(template: str) -> str:
    """Give a template back if it parses.

    Raises:
        UserJinjaTemplateSyntaxError: it does not.
    """
    references(template)
    return template
