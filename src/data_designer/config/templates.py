"""Jinja templates as declarations: do they parse, and which names do they refer to."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def references(template: str) -> frozenset[str]:
    """Names a template refers to and does not define itself.

    The name of a function of Jinja's (`range`, `dict`) is one of them, unless it is only called. Nothing in the
    template is computed.

    Raises:
        UserJinjaTemplateSyntaxError: the template does not parse.
    """
    from data_designer.config.template_syntax import names_in

    return names_in(template)


def parts(template: str) -> frozenset[tuple[str, str]]:
    """Names a template refers to, each with a part of it that is named: `{{ review.stars }}` has `review`, `stars`.

    Raises:
        UserJinjaTemplateSyntaxError: the template does not parse.
    """
    from data_designer.config.template_syntax import parts_in

    return parts_in(template)


def check_syntax(template: str) -> str:
    """Give a template back if it parses.

    Raises:
        UserJinjaTemplateSyntaxError: it does not.
    """
    references(template)
    return template
