"""Bounds what rendering a template may come to, whatever the records hold.

A rendering has a budget of work, counted and not timed, so that a record fails on every machine or on none: a
character that is made costs 1, one that is read a sixteenth; an item that is made or looked at, and a step of a loop
for each node of its body, cost 16. What multiplies (`*`, `center`, `replace`, ...) is charged before it is carried out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from data_designer.columns.templating.costs import (
    CALL,
    CONTAINERS,
    FILTERS,
    ITEM,
    MAX_WORK,
    OPERATORS,
    READ,
    Arguments,
    Estimate,
    LimitExceededError,
    call_cost,
    made,
    read_all,
    size,
)
from data_designer.columns.templating.growth import grows

MAX_CALLS: Final = 50
"""Calls of macros, blocks and recursive loops inside each other."""
_EACH, _SEEN, _STEP = "each item", "each value", "each step"
"""Filters that only the rewritten syntax applies: their names cannot be written in a template."""
_NUMBERS = frozenset({int, float})
_FLAT = frozenset({int, float, bool})
_SMALL = 1 << 63
_COMPARING = frozenset(
    {
        *("in", "eq", "==", "equalto", "ne", "!=", "lower", "upper"),
        *("lt", "<", "lessthan", "le", "<=", "gt", ">", "greaterthan", "ge", ">="),
    }
)
"""Tests that look at all of a value."""


class Meter:
    """What a rendering may still cost."""

    __slots__ = ("calls", "left")

    def __init__(self) -> None:
        self.left = MAX_WORK
        self.calls = 0

    def charge(self, cost: int, what: str) -> None:
        """Take from the budget.

        Raises:
            LimitExceededError: it does not suffice.
        """
        self.left -= cost
        if self.left < 0:
            raise LimitExceededError(
                f"`{what}` would exceed the {MAX_WORK:,} units of work a rendering may come to "
                f"(a character is 1 unit, an item or a step {ITEM})"
            )

    def counted(self, items: Iterable[object], cost: int) -> Iterator[object]:
        """Give items on, each for its price."""
        for item in items:
            self.charge(cost, "for")
            yield item


class _Context(Context):
    """What a template is rendered in, with its meter."""

    def derived(self, locals: dict[str, object] | None = None) -> Context:  # noqa: A002 - Jinja's name
        context = super().derived(locals)
        context.__dict__["meter"] = _meter(self)
        return context


class MeteredEnvironment(SandboxedEnvironment):
    """A sandbox in which every rendering has its meter."""

    context_class = _Context
    intercepted_binops = frozenset(SandboxedEnvironment.default_binop_table)

    def meter_all(self) -> None:
        """Meter the filters and tests; to be called when all of them are there."""
        self.globals["namespace"] = _Namespace
        filters: Any = self.filters
        for name, function in list(filters.items()):
            filters[name] = _metered(name, function, FILTERS.get(name, read_all))
        tests: Any = self.tests
        for name in _COMPARING & tests.keys():
            tests[name] = _metered(name, tests[name], read_all)
        filters |= {_EACH: _each, _SEEN: _seen, _STEP: _step}

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        """Write the program of a template, with what counts in it."""
        if growth := grows(source):
            source = (_Steps() if growth == "steps" else _Everything()).visit(source)
            source.set_environment(self)
        return super()._generate(source, name, filename, defer_init)

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """Join what a rendering came to."""
        joined: list[str] = []
        left, add = MAX_WORK, joined.append
        for part in parts:
            left -= len(part)
            if left < 0:
                raise LimitExceededError(f"it comes to more than {MAX_WORK:,} characters")
            add(part)
        return "".join(joined)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> object:
        """Carry out an operator whose result is not too large."""
        numbers = type(left) in _NUMBERS and type(right) in _NUMBERS
        # Nothing of theirs is large, and loops are charged for their steps.
        if not numbers or operator == "**" or not (-_SMALL < left < _SMALL and -_SMALL < right < _SMALL):
            _meter(context).charge(CALL + OPERATORS[operator](left, right), operator)
        return self.binop_table[operator](left, right)

    def call(__self, __context: Context, __obj: object, /, *args: object, **kwargs: object) -> object:  # noqa: N805 - Jinja's form
        """Call a method or macro whose result is not too large."""
        meter = _meter(__context)
        if not _LASTING.issuperset(map(type, args)):
            args = tuple(_listed(meter, arg) for arg in args)
        name, cost = call_cost(__obj, args, kwargs)
        meter.charge(CALL + cost, name)
        meter.calls += 1
        if meter.calls > MAX_CALLS:
            raise LimitExceededError(f"it calls itself more than {MAX_CALLS} levels deep")
        # Where it fails, the rendering fails, and its meter is of no more use.
        result = super().call(__context, __obj, *args, **kwargs)
        meter.calls -= 1
        meter.charge(made(result), name)
        return result


class _Namespace(Namespace):
    """A namespace that prints as nothing but that, as it may hold more than can be printed."""

    def __repr__(self) -> str:
        return "<Namespace>"


# --- rewriting: what counts is put into the syntax -----------------------------------------------------------------


class _Steps(NodeTransformer):
    """Charges for the steps of loops."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's form
        cost = _steps([*node.body, node.test] if node.test else node.body)
        self.generic_visit(node)
        if node.recursive:
            node.body.insert(0, _charge(cost, node.lineno))
        else:
            node.iter = _applied(node.iter, _EACH, cost)
        return node


class _Everything(_Steps):
    """Charges for everything that may multiply."""

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:  # noqa: N802 - Jinja's form
        self._charge_body(node)
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.CallBlock:  # noqa: N802 - Jinja's form
        self._charge_body(node)
        return node

    def visit_Block(self, node: nodes.Block) -> nodes.Block:  # noqa: N802 - Jinja's form
        self._charge_body(node)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802 - Jinja's form
        self.generic_visit(node)
        node.nodes = [part if isinstance(part, nodes.TemplateData) else _filtered(part, _SEEN) for part in node.nodes]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Concat:  # noqa: N802 - Jinja's form
        self.generic_visit(node)
        node.nodes = [_filtered(part, _SEEN) for part in node.nodes]
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802 - Jinja's form
        self.generic_visit(node)
        node.expr = _filtered(node.expr, _SEEN, 1)
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, _SEEN, 1)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802 - Jinja's form
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            return _filtered(node, _SEEN)
        node.arg = _filtered(node.arg, _SEEN, 1)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Pair:  # noqa: N802 - Jinja's form
        self.generic_visit(node)
        node.key = _filtered(node.key, _SEEN, 1)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Expr:  # noqa: N802 - Jinja's form
        return self._built(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802 - Jinja's form
        return node if node.ctx != "load" else self._built(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Expr:  # noqa: N802 - Jinja's form
        return self._built(node)

    def _built(self, node: nodes.Expr) -> nodes.Expr:
        self.generic_visit(node)
        return _filtered(node, _SEEN, 1)

    def _charge_body(self, node: nodes.Macro | nodes.CallBlock | nodes.Block) -> None:
        cost = _steps(node.body)
        self.generic_visit(node)
        node.body.insert(0, _charge(cost, node.lineno))


def _filtered(node: nodes.Expr, name: str, *args: int) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _applied(node, name, *args)


def _applied(node: nodes.Node, name: str, *args: int) -> nodes.Filter:
    return nodes.Filter(node, name, [nodes.Const(arg) for arg in args], [], None, None, lineno=node.lineno)


def _charge(cost: int, line: int) -> nodes.Output:
    return nodes.Output([_applied(nodes.Const("", lineno=line), _STEP, cost)])


def _steps(body: Iterable[nodes.Node]) -> int:
    return ITEM * (1 + sum(1 + sum(1 for _ in node.find_all(nodes.Node)) for node in body))


@pass_context
def _each(context: Context, items: Iterable[object], cost: int) -> Iterable[object]:
    meter = _meter(context)
    if isinstance(items, CONTAINERS) or isinstance(items, str):  # noqa: SIM101 - mypy does not follow one tuple
        meter.charge(len(items) * cost, "for")
        return items
    return meter.counted(items, cost)


@pass_context
def _seen(context: Context, value: object, read: int = 0) -> object:
    """Charge for a value that is printed, joined or cut, or that is only read or held."""
    shift = READ if read else 0
    if type(value) is str:
        cost = ITEM + (len(value) >> shift)
    elif type(value) in _FLAT:
        cost = ITEM
    else:
        cost = size(value, shift)
    _meter(context).charge(cost, "{{ }}")
    return value


@pass_context
def _step(context: Context, nothing: str, cost: int) -> str:
    _meter(context).charge(cost, "call")
    return nothing


# --- what things cost ----------------------------------------------------------------------------------------------


def _meter(context: Context) -> Meter:
    attributes = context.__dict__
    meter: Meter | None = attributes.get("meter")
    if meter is None:
        meter = attributes["meter"] = Meter()
    return meter


def _metered(name: str, function: Callable[..., object], estimate: Estimate) -> Callable[..., object]:
    passed = getattr(function, "jinja_pass_arg", None)
    first = _FIRST[passed.name] if passed else _nothing

    @pass_context
    def metered(context: Context, value: object, *args: object, **options: object) -> object:
        meter = _meter(context)
        value = _listed(meter, value)
        meter.charge(CALL + estimate(value, args, options), name)
        result = function(*first(context), value, *args, **options)
        meter.charge(made(result), name)
        return result

    return metered


def _nothing(context: Context) -> Arguments:  # noqa: ARG001 - one of those that give first arguments
    return ()


_FIRST: Mapping[str, Callable[[Context], Arguments]] = {
    "context": lambda context: (context,),
    "eval_context": lambda context: (context.eval_ctx,),
    "environment": lambda context: (context.environment,),
}
"""What a filter gets before its value, by what it says of itself."""


def _listed(meter: Meter, value: object) -> object:
    """Give what can be looked at only once as a list, so that it can be measured."""
    if type(value) in _LASTING or not isinstance(value, Iterator) or isinstance(value, LoopContext):
        return value
    return list(meter.counted(value, ITEM))


_LASTING = frozenset({str, int, float, list, dict})
