"""The syntax of Jinja templates: is it sound, and which names are in it."""

from typing import Final

from jinja2 import Environment, TemplateSyntaxError, meta, nodes
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.visitor import NodeTransformer

from data_designer.errors import UserJinjaTemplateSyntaxError

MAX_DEPTH: Final = 120
"""Levels of a template's syntax. Jinja and Python compile no more than some hundreds, and fail in their own ways."""
MAX_LOOPS: Final = 16
"""Loops inside each other; Python compiles no more than 20."""
_ASK_WHETHER = frozenset({"defined", "undefined", "none", "default", "d"})

# No names of its own: a column wins over a function of Jinja's of the same name.
_ENVIRONMENT = Environment(autoescape=False, optimized=False)  # noqa: S701 - text for models, not for browsers
_ENVIRONMENT.globals.clear()


def names_in(template: str) -> frozenset[str]:
    """Names a template refers to and does not define itself.

    The name of a function of Jinja's (`range`, `dict`) is one of them, unless it is only called. Nothing in the
    template is computed.

    Raises:
        UserJinjaTemplateSyntaxError: the template does not parse.
    """
    syntax = parsed(template, _ENVIRONMENT)
    try:
        return frozenset(meta.find_undeclared_variables(_OnlyNames().visit(syntax)))
    except TemplateSyntaxError as error:  # such as a block that is there twice
        raise _misspelt(error, template) from error
    except RecursionError:  # where the caller is deep down itself
        raise _refusal("is nested too deeply to be read", template) from None


def parts_in(template: str) -> frozenset[tuple[str, str]]:
    """Names a template refers to, each with a part of it that is named: `{{ review.stars }}` has `review`, `stars`.

    What is asked whether it is there, or given something instead, is left out; so are names that the template defines.

    Raises:
        UserJinjaTemplateSyntaxError: the template does not parse.
    """
    syntax = parsed(template, _ENVIRONMENT)
    spared = {id(one.node) for one in syntax.find_all((nodes.Test, nodes.Filter)) if one.name in _ASK_WHETHER}
    own = {one.name for one in syntax.find_all(nodes.Name) if one.ctx != "load"}
    return frozenset(
        (one.node.name, one.attr)
        for one in syntax.find_all(nodes.Getattr)
        if isinstance(one.node, nodes.Name) and one.node.name not in own and id(one) not in spared
    )


def parsed(template: str, environment: Environment) -> nodes.Template:
    """Parse a template that is not too deep to be compiled.

    Raises:
        UserJinjaTemplateSyntaxError: it does not parse, or is too deep.
    """
    try:
        syntax = environment.parse(template)
    except TemplateSyntaxError as error:
        raise _misspelt(error, template) from error
    except RecursionError:
        raise _refusal("is nested too deeply to be read: use fewer parentheses and brackets", template) from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise _refusal(f"does not parse: {error}", template) from error
    depth, loops = _depths(syntax)
    if depth > MAX_DEPTH:
        raise _refusal(f"is nested {depth} levels deep; at most {MAX_DEPTH} are allowed", template)
    if loops > MAX_LOOPS:
        raise _refusal(f"has {loops} loops inside each other; at most {MAX_LOOPS} are allowed", template)
    return syntax


def _misspelt(error: TemplateSyntaxError, template: str) -> UserJinjaTemplateSyntaxError:
    return _refusal(f"does not parse: syntax error in line {error.lineno}: {str(error.message).rstrip('.')}", template)


def _refusal(why: str, template: str) -> UserJinjaTemplateSyntaxError:
    return UserJinjaTemplateSyntaxError(f"the template {why}; template: {template[:200]!r}")


def _depths(syntax: nodes.Template) -> tuple[int, int]:
    """Levels of the syntax, and loops inside each other."""
    deepest = most = 0
    waiting: list[tuple[nodes.Node, int, int]] = [(syntax, 0, 0)]
    while waiting:
        node, depth, loops = waiting.pop()
        loops += isinstance(node, nodes.For)
        deepest, most = max(deepest, depth), max(most, loops)
        waiting.extend((child, depth + 1, loops) for child in node.iter_child_nodes())
    return deepest, most


class _OnlyNames(NodeTransformer):
    """Leaves of a template what matters for its names, so that Jinja's search finds nothing to compute."""

    def visit_Const(self, node: nodes.Const) -> nodes.Expr:  # noqa: N802 - Jinja's form
        return nodes.TemplateData("", lineno=node.lineno)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802 - Jinja's form
        # One that is there: whether the template's own is, is for the engine to say.
        node.name = "string"
        return self.generic_visit(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802 - Jinja's form
        node.name = "defined"
        return self.generic_visit(node)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - Jinja's form
        if isinstance(node.node, nodes.Name) and node.node.name in DEFAULT_NAMESPACE:
            node.node = nodes.TemplateData("", lineno=node.lineno)
        return self.generic_visit(node)
