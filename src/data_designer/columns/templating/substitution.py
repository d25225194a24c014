"""Templates that only set values between texts, such as `{{ a }} and {{ b }}`: rendered without Jinja."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jinja2 import Environment, Undefined, nodes

from data_designer.columns.templating.scalar_text import LONGEST, ScalarText

_TEXTS = frozenset({str, ScalarText})
_SHORT = frozenset({int, float, bool, type(None)})
"""Kinds of values that print in a few thousand characters at most."""


@dataclass(frozen=True)
class Substitution:
    """The texts of such a template, and which column stands between them."""

    texts: tuple[str, ...]
    """One more than there are columns."""
    columns: tuple[str, ...]
    _pattern: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pattern", "%s".join(text.replace("%", "%%") for text in self.texts))

    def render(self, values: Mapping[str, object]) -> str:
        """Render for one record. Jinja prints a value as `str` does, and one that is not there as nothing."""
        return self._pattern % tuple([values.get(name, "") for name in self.columns])

    def render_rows(self, columns: Mapping[str, Sequence[object]], most: int) -> list[str] | None:
        """Render for all rows of some columns together.

        Args:
            columns: values as templates see them, a column at least.
            most: characters that a row may come to.

        Returns:
            None where it might come to more, or a value is none that is quickly printed.
        """
        used = {name: columns[name] for name in self.columns if name in columns}
        longest = {name: _longest(values) for name, values in used.items()}
        known = [longest.get(name, 0) for name in self.columns]
        lengths = [length for length in known if length is not None]
        if not used or len(lengths) < len(known) or sum(lengths) + sum(map(len, self.texts)) > most:
            return None
        nothing = ("",) * len(next(iter(used.values())))
        rows = zip(*(used.get(name, nothing) for name in self.columns), strict=True)
        try:
            return list(map(self._pattern.__mod__, rows))
        except ValueError:  # An integer of more digits than Python prints.
            return None


def _longest(values: Sequence[object]) -> int | None:
    """Characters that none of some values exceeds; None where that is not seen at once."""
    kinds = set(map(type, values))
    if not kinds <= _TEXTS | _SHORT:
        return None
    texts = [value for value in values if isinstance(value, str)] if kinds & _TEXTS else ()
    return max(LONGEST + 1 if kinds & _SHORT else 0, max(map(len, texts), default=0))


def substitution(syntax: nodes.Template, names: Sequence[str], environment: Environment) -> Substitution | None:
    """Give the substitution that a template is; None where Jinja has to render it."""
    if environment.finalize is not None or environment.autoescape or environment.undefined is not Undefined:
        return None
    texts, columns = [""], []
    for output in syntax.body:
        for node in output.nodes if isinstance(output, nodes.Output) else (None,):
            match node:
                case nodes.TemplateData():
                    texts[-1] += node.data
                case nodes.Name() if node.name in names:
                    columns.append(node.name)
                    texts.append("")
                case _:
                    return None
    return Substitution(tuple(texts), tuple(columns))
