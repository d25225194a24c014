"""Conditions under which a column has other parameters: Jinja expressions over other sampler columns."""

from collections.abc import Callable, Mapping
from functools import cache

from jinja2 import TemplateError

from data_designer.columns.templating.environments import expression_environment
from data_designer.config.templates import references
from data_designer.errors import UserJinjaTemplateSyntaxError


@cache
def condition_names(condition: str) -> frozenset[str]:
    """Columns a condition refers to.

    Raises:
        UserJinjaTemplateSyntaxError: it is no single expression.
    """
    compiled_condition(condition)
    return references(f"{{{{ {condition} }}}}")


def compiled_condition(condition: str) -> Callable[[Mapping[str, object]], object]:
    """A condition as a function of the columns that it refers to.

    Raises:
        UserJinjaTemplateSyntaxError: it is no single expression.
    """
    try:
        return expression_environment().compile_expression(condition, undefined_to_none=False)
    except TemplateError as error:
        raise UserJinjaTemplateSyntaxError(str(error.message)) from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise UserJinjaTemplateSyntaxError("it is nested too deeply") from error
