"""How what a template makes may grow, told from its syntax: most need no meter."""

from collections.abc import Iterable

from jinja2 import nodes

_EVEN = frozenset(
    {
        *("abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "forceescape"),
        *("int", "last", "length", "lower", "max", "min", "random", "reverse", "round", "safe"),
        *("string", "title", "trim", "truncate", "upper", "urlencode"),
    }
)
"""Filters whose results are no larger than some times their input."""
_READING = frozenset(
    {
        *("capitalize", "count", "endswith", "find", "format", "get", "index", "items", "join", "keys", "lower"),
        *("lstrip", "replace", "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper", "values"),
    }
)
"""Methods that change nothing."""
_CHEAP = frozenset(
    {
        *("boolean", "callable", "defined", "even", "divisibleby", "eq", "equalto", "false", "filter", "float"),
        *("ge", "gt", "integer", "iterable", "le", "lower", "lt", "mapping", "ne", "none", "number", "odd"),
        *("sameas", "sequence", "string", "test", "true", "undefined", "upper", "==", "!=", ">", ">=", "<", "<="),
    }
)
"""Tests that take no longer than reading a value once."""


def grows(syntax: nodes.Template) -> str:
    """Tell how what a template makes may grow.

    Returns:
        "" where it is no more than some times the template's own length and what it names; "steps" where counting the
        steps of loops, and what operators, filters and methods do, is enough; else "all".
    """
    return _largest(_growth(node, chained=0) for node in syntax.body)


def _largest(kinds: Iterable[str]) -> str:
    found = set(kinds)
    return "all" if "all" in found else "steps" if "steps" in found else ""


def _growth(node: nodes.Node, *, chained: int) -> str:
    match node:
        case nodes.TemplateData() | nodes.Const() | nodes.Name(ctx="load"):
            inner: Iterable[nodes.Node] = ()
        case nodes.Filter() if chained < 2 and _is_even(node):
            chained += 1
            inner = node.iter_child_nodes()
        case nodes.Operand(expr=nodes.List() | nodes.Tuple() as several):
            inner = several.items
        case nodes.BinExpr(operator="+" | "-" | "/" | "//") | nodes.Concat() | nodes.Slice():
            inner = node.iter_child_nodes()
        case nodes.Compare() | nodes.Operand() | nodes.Getitem() | nodes.Keyword():
            inner = node.iter_child_nodes()
        case nodes.Test(name=name) if name in _CHEAP:
            inner = node.iter_child_nodes()
        case _ if isinstance(node, _PARTS):
            inner = node.iter_child_nodes()
        case _:
            return "steps" if _is_counted(node) else "all"
    return _largest(_growth(child, chained=chained) for child in inner)


def _is_even(node: nodes.Filter) -> bool:
    plain = node.name in {"default", "d"} or all(isinstance(arg, nodes.Const) for arg in node.args)
    return node.name in _EVEN and node.node is not None and plain and not node.kwargs


_PARTS = (nodes.Output, nodes.If, nodes.CondExpr, nodes.Getattr, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos)
"""What has no more to it than its parts."""


def _is_counted(node: nodes.Node) -> bool:
    """Tell whether all that takes time or memory in a part is a step, an operator, a filter or a method."""
    match node:
        case nodes.TemplateData() | nodes.Const() | nodes.Name(ctx="load"):
            return True
        case nodes.Compare(ops=[nodes.Operand(op="eq" | "ne" | "lt" | "gt" | "lteq" | "gteq", expr=nodes.Const())]):
            return _is_counted(node.expr)
        case nodes.Test(name=name) if name in _CHEAP:
            return all(map(_is_counted, node.iter_child_nodes()))
        case nodes.For(recursive=False):
            return all(map(_is_counted, node.iter_child_nodes(exclude=("target",))))
        case nodes.Call(node=nodes.Getattr(attr=name)) if name in _READING:
            return all(map(_is_counted, node.iter_child_nodes()))
        case nodes.Filter() if node.node is not None:
            return all(map(_is_counted, node.iter_child_nodes()))
        case nodes.Getitem(arg=nodes.Const() | nodes.Name()):
            return _is_counted(node.node)
        case _ if isinstance(node, (*_PARTS, nodes.BinExpr, nodes.Keyword)):
            return all(map(_is_counted, node.iter_child_nodes()))
        case _:
            return False
