"""Code that the simulated model writes: short, in the language that is asked for, and such that it parses."""

import re
from collections.abc import Callable

from data_designer.simulated_model.material import Material
from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.sql_replies import sql

_FUNCTION = re.compile(r"(?:function|method)\s+(?:called|named)\s+[`'\"]?([a-z_]\w*)", re.IGNORECASE)
_CLASS = re.compile(r"\bclass\b", re.IGNORECASE)
_READ = 20_000
_WRONG = 12
"""One function of so many uses a name that is not there, as those of models do."""

_PYTHON = (
    '''def {name}(values: list[int], limit: int = {number}) -> list[int]:
    """Return the values that are above a limit, the largest first."""
    return sorted((value for value in values if value > limit), reverse=True)''',
    '''def {name}(texts: list[str]) -> dict[str, int]:
    """Count how often each text occurs, whatever its case."""
    counts: dict[str, int] = {{}}
    for text in texts:
        word = text.strip().lower()
        counts[word] = counts.get(word, 0) + 1
    return counts''',
    '''def {name}(values: list[float]) -> float:
    """Return the standard deviation of some values.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no values")
    mean = sum(values) / len(values)
    return (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5''',
    '''def {name}(text: str, width: int = {number}) -> list[str]:
    """Cut a text into lines that are at most so wide."""
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{{lines[-1]}} {{word}}".strip()
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines''',
)
_PYTHON_CLASS = '''from dataclasses import dataclass, field


@dataclass
class {title}:
    """Keeps the last values of a series."""

    size: int = {number}
    values: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        """Take a value, and forget the oldest where there are too many."""
        self.values = [*self.values, value][-self.size :]

    def mean(self) -> float:
        """Return the mean of the values that are there."""
        return sum(self.values) / max(1, len(self.values))'''
_OTHERS = {
    "bash": '{name}() {{\n  local value="$1"\n  echo $((value * {number}))\n}}\n\n{name} 7',
    "c": "int {name}(int value) {{\n    return value * {number};\n}}",
    "cobol": "       IDENTIFICATION DIVISION.\n       PROGRAM-ID. {upper}.\n       PROCEDURE DIVISION.\n"
    "           DISPLAY {number}.\n           STOP RUN.",
    "cpp": "#include <vector>\n\nint {name}(const std::vector<int>& values) {{\n    int total = 0;\n"
    "    for (int value : values) total += value * {number};\n    return total;\n}}",
    "csharp": "public static class {title}\n{{\n    public static int Scaled(int value) => value * {number};\n}}",
    "go": "package main\n\nfunc {name}(value int) int {{\n\treturn value * {number}\n}}",
    "java": "public final class {title} {{\n    public static int scaled(int value) {{\n"
    "        return value * {number};\n    }}\n}}",
    "javascript": "function {name}(values) {{\n  return values.map((value) => value * {number});\n}}",
    "kotlin": "fun {name}(value: Int): Int = value * {number}",
    "ruby": "def {name}(value)\n  value * {number}\nend",
    "rust": "pub fn {name}(value: i64) -> i64 {{\n    value * {number}\n}}",
    "scala": "def {name}(value: Int): Int = value * {number}",
    "swift": "func {name}(_ value: Int) -> Int {{\n    return value * {number}\n}}",
    "typescript": "export function {name}(values: number[]): number[] {{\n"
    "  return values.map((value) => value * {number});\n}}",
}


def code(language: str, prompt: str, rng: SeededRng) -> str:
    """Code of a language.

    Args:
        language: as a fence is tagged with it; one that is not known gets a call.
        prompt: what it is to do. Only names are taken from it.
        rng: decides which.
    """
    write = _WRITERS.get(language)
    if write is not None:
        return write(prompt, rng)
    return _filled(_OTHERS.get(language, "{name}({number});"), prompt, rng)


def _python(prompt: str, rng: SeededRng) -> str:
    is_class = bool(_CLASS.search(prompt[:_READ])) and rng.below(2)
    written = _filled(_PYTHON_CLASS if is_class else rng.choice(_PYTHON), prompt, rng)
    return written if rng.below(_WRONG) else f"{written}\n\n\nresult = {rng.words(1)}_total"


def _filled(form: str, prompt: str, rng: SeededRng) -> str:
    called = _FUNCTION.search(prompt[:_READ])
    words = [rng.words(1), rng.choice(Material(prompt).words or ["values"])]
    name = called.group(1) if called else "_".join(words)
    title = "".join(word.title() for word in words)
    return form.format(name=name, title=title, upper=title.upper()[:30], number=2 + rng.below(90))


_WRITERS: dict[str, Callable[[str, SeededRng], str]] = {"python": _python, "sql": sql}
