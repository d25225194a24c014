"""What the digest of a function covers: a change of what it uses is seen, and nothing else is."""

import copy
import functools
import inspect
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray import cloudpickle
from tests.properties import examples

import data_designer.config as dd
from data_designer.plan.user_code import UserCode, changed_parts, user_code

Function = Callable[..., Any]
Load = Callable[[str], Function]

NUMBERS = itertools.count()


def code(function: Any) -> UserCode:
    """What a function does."""
    return user_code({"generator_function": function})


def parts(function: Any) -> dict[str, str]:
    """Its parts."""
    return dict(code(function).parts)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """The function `f` of a module with some text; each time another module."""

    def loaded(source: str) -> Function:
        name = f"written_{next(NUMBERS)}"
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        module = ModuleType(name)
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102 - as an import does
        function: Function = module.f
        return function

    monkeypatch.syspath_prepend(tmp_path)
    return loaded


def from_nowhere(source: str) -> Function:
    """The function `f` of text that is in no file, as in an interpreter."""
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 - as an interpreter does
    with pytest.raises(OSError, match="could not get source code"):
        inspect.getsource(names["f"])
    function: Function = names["f"]
    return function


# --- its own code ----------------------------------------------------------------------------------------------

PLAIN = "def f(row, scale=2):\n    return row['n'] * scale + 1\n"

SAME = {
    "itself": PLAIN,
    "comments": "# What it is for.\ndef f(row, scale=2):  # Why.\n    # How.\n    return row['n'] * scale + 1\n",
    "layout": "\n\n\ndef f(\n    row,\n    scale=2,\n):\n\n    return (\n        row['n']\n     * scale\n    ) + 1\n",
    "quotes": PLAIN.replace("'", '"'),
    "where it stands": f"x = 1\n\n{PLAIN}\ny = 2\n",
    "how deep": "if True:\n    def f(row, scale=2):\n        return row['n'] * scale + 1\n",
    "a docstring": PLAIN.replace(":\n", ":\n    'What it does.'\n"),
    "annotations": PLAIN.replace("row, scale=2)", "row: dict, scale: int = 2) -> int"),
}
OTHER = {
    "a number": PLAIN.replace("+ 1", "+ 3"),
    "an operator": PLAIN.replace("*", "/"),
    "a text": PLAIN.replace("'n'", "'m'"),
    "a default": PLAIN.replace("=2", "=3"),
    "a call": PLAIN.replace("row['n']", "row.get('n')"),
    "a lambda": "f = lambda row, scale=2: row['n'] * scale + 1\n",
    "a name of an argument": PLAIN.replace("scale", "factor"),
}


@pytest.mark.parametrize("form", SAME)
def test_layout_and_comments_are_no_code(load: Load, form: str) -> None:
    """A function that is only written otherwise has the same digest."""
    assert parts(load(SAME[form])) == parts(load(PLAIN))


@pytest.mark.parametrize("form", OTHER)
def test_other_code_has_another_digest(load: Load, form: str) -> None:
    """A function that does something else has another digest."""
    assert parts(load(OTHER[form])) != parts(load(PLAIN))


def test_code_without_source_is_told_by_what_it_is_compiled_to(load: Load) -> None:
    """The same text gives the same digest each time, and the one that it has in a file."""
    digests = {tuple(parts(from_nowhere(SAME[form])).items()) for form in SAME}
    assert digests == {tuple(parts(load(PLAIN)).items())}


@pytest.mark.parametrize("form", sorted(set(OTHER) - {"a lambda"}))
def test_other_code_without_source_has_another_digest(form: str) -> None:
    """A function of an interpreter that does something else has another digest."""
    assert parts(from_nowhere(OTHER[form])) != parts(from_nowhere(PLAIN))


BRANCHES = """
def f(row):
    found = [part for part in row if part and part != "x"]
    while True:
        if (found and row) or (found and not row and len(found)):
            break
        else:
            pass
    try:
        return (row and found) or (row
            and None)
    except (KeyError, ValueError):
        raise
"""
BROKEN_OTHERWISE = """
def f(row):
    found = [
        part
        for part in row
        if part
        and part != "x"
    ]
    while True:

        if (
            (found
             and row)
            or (found and not row
                and len(found))
        ): break
        else: pass
    try: return (row and found) or (row and None)
    except (KeyError,
            ValueError): raise
"""


def test_where_lines_are_broken_is_no_code(load: Load) -> None:
    """Jumps that a compiler joins or not, as conditions stand in one line or in several, are the same jumps."""
    assert parts(load(BRANCHES)) == parts(load(BROKEN_OTHERWISE))


def test_what_is_tried_is_code(load: Load) -> None:
    """A call that is moved into what may fail makes another function, though the instructions are the same."""
    outside = "def f(row):\n    a()\n    try:\n        b()\n    except KeyError:\n        pass\n"
    inside = "def f(row):\n    try:\n        a()\n        b()\n    except KeyError:\n        pass\n"
    assert parts(load(outside)) != parts(load(inside))


# --- what it uses ----------------------------------------------------------------------------------------------

USES: dict[str, tuple[str, Any, Any]] = {
    # Values.
    "a number": ("A = {}\ndef f(r): return A", 1, 2),
    "the type of a number": ("A = {}\ndef f(r): return A", "1", "1.0"),
    "a long number": ("A = 10**5000 + {}\ndef f(r): return A", 1, 2),
    "half an emoji": ("A = {}\ndef f(r): return A", r"'\ud83d'", r"'\ude00'"),
    "a list in a list": ("A = [1, [2, {}]]\ndef f(r): return A", 1, 2),
    "a dict": ("A = {{(1, 2): {}}}\ndef f(r): return A[r]", 1, 2),
    "a key of a dict": ("A = {{(1, {}): 2}}\ndef f(r): return A[r]", 1, 2),
    "the order of a dict": ("A = dict({})\ndef f(r): return A[r]", "a=1, b=2", "b=2, a=1"),
    "a set": ("A = {{'a', {}}}\ndef f(r): return r in A", "'b'", "'c'"),
    "what a dict has by default": (
        "import collections\nA = collections.defaultdict({})\ndef f(r): return A[r]",
        "int",
        "list",
    ),
    "a pattern": ("import re\nA = re.compile({})\ndef f(r): return A.match(r)", "'a'", "'b'"),
    "how a pattern is read": ("import re\nA = re.compile('a', {})\ndef f(r): return A.match(r)", "re.I", "re.M"),
    "a method of a pattern": ("import re\nA = re.compile({}).match\ndef f(r): return A(r)", "'a'", "'b'"),
    "a path": ("import pathlib\nA = pathlib.Path({})\ndef f(r): return A", "'a'", "'b'"),
    "a day": ("import datetime\nA = datetime.date(2026, 1, {})\ndef f(r): return A", 1, 2),
    "a decimal": ("import decimal\nA = decimal.Decimal({})\ndef f(r): return A", "'1.0'", "'1.00'"),
    "a namespace": ("import types\nA = types.SimpleNamespace(n={})\ndef f(r): return A.n", 1, 2),
    "what may not be changed": ("import types\nA = types.MappingProxyType(dict(n={}))\ndef f(r): return A", 1, 2),
    "a getter": ("import operator\nA = operator.itemgetter({})\ndef f(r): return A(r)", 1, 2),
    "an array": ("import numpy as np\nA = np.array([1, {}])\ndef f(r): return A", 2, 3),
    "an array of objects": ("import numpy as np\nA = np.array([1, {}], dtype=object)\ndef f(r): return A", 2, "'2'"),
    "the form of an array": ("import numpy as np\nA = np.arange(4).reshape({})\ndef f(r): return A", "2, 2", "4, 1"),
    "a frame": ("import pandas as pd\nA = pd.DataFrame(dict(a=[1, {}]))\ndef f(r): return A", 2, 3),
    "text in a frame": ("import pandas as pd\nA = pd.DataFrame(dict(a=['x', {}]))\ndef f(r): return A", "'y'", "'z'"),
    "lists in a series": ("import pandas as pd\nA = pd.Series([['x'], [{}]])\ndef f(r): return A", "'y'", "'z'"),
    "categories": (
        "import pandas as pd\nA = pd.Series(['x', {}], dtype='category')\ndef f(r): return A",
        "'y'",
        "'z'",
    ),
    "an index": ("import pandas as pd\nA = pd.Series([1, 2], index=['x', {}])\ndef f(r): return A", "'y'", "'z'"),
    "a table of Arrow": ("import pyarrow as pa\nA = pa.table(dict(a=[1, {}]))\ndef f(r): return A", 2, 3),
    # Functions.
    "a helper": ("def g(): return {}\ndef f(r): return g()", 1, 2),
    "a helper's helper's constant": ("A = {}\ndef h(): return A\ndef g(): return h()\ndef f(r): return g()", 1, 2),
    "a function that calls itself": ("def f(r): return f(r - 1) if r else {}", 1, 2),
    "functions that call each other": ("def g(r): return f(r) if r else {}\ndef f(r): return g(r - 1)", 1, 2),
    "a default that is a list": ("def f(r, n=[{}]): return n", 1, 2),
    "a default by name": ("def f(r, *, n={}): return n", 1, 2),
    "a closure": ("def make(n):\n    def f(r): return n\n    return f\nf = make({})", 1, 2),
    "a closure over a list": ("def make(n):\n    def f(r): return n[0]\n    return f\nf = make([{}])", 1, 2),
    "a function inside": ("A = {}\ndef f(r):\n    def g(): return A\n    return g()", 1, 2),
    "a comprehension": ("A = {}\ndef f(r): return [A for _ in r]", 1, 2),
    "a generator": ("def g(): yield {}\ndef f(r): return next(g())", 1, 2),
    "an async function": ("async def g(): return {}\nasync def f(r): return await g()", 1, 2),
    "a lambda": ("g = lambda: {}\ndef f(r): return g()", 1, 2),
    "a function by its name": ("def g(): return {}\nA = dict(g=g)\ndef f(r): return A[r]()", 1, 2),
    "which function has which name": (
        "def make(n): return lambda: n\nA = dict({})\ndef f(r): return A[r]()",
        "a=make(1), b=make(2)",
        "a=make(2), b=make(1)",
    ),
    "an argument of a partial": (
        "import functools\ndef g(a, b): return a\nA = functools.partial(g, {})\ndef f(r): return A(r)",
        1,
        2,
    ),
    "a partial's function": (
        "import functools\ndef g(a): return {}\nA = functools.partial(g, 1)\ndef f(r): return A()",
        1,
        2,
    ),
    "a function that remembers": (
        "import functools\n@functools.lru_cache\ndef g(a): return {}\ndef f(r): return g(r)",
        1,
        2,
    ),
    "a function for a type": (
        (
            "import functools\n@functools.singledispatch\ndef g(a): return 0\n@g.register\n"
            "def _(a: int): return {}\ndef f(r): return g(r)"
        ),
        1,
        2,
    ),
    "a context": (
        "import contextlib\n@contextlib.contextmanager\ndef g(): yield {}\ndef f(r):\n    with g() as a: return a",
        1,
        2,
    ),
    "a decorator": (
        (
            "import functools\ndef deco(g):\n    @functools.wraps(g)\n    def inner(r): return g(r) * {}\n"
            "    return inner\n@deco\ndef f(r): return r"
        ),
        1,
        2,
    ),
    "a decorator's argument": (
        (
            "import functools\ndef times(n):\n    def deco(g):\n        @functools.wraps(g)\n        def inner(r): "
            "return g(r) * n\n        return inner\n    return deco\n@times({})\ndef f(r): return r"
        ),
        1,
        2,
    ),
    "an attribute of a function": ("def f(r): return f.limit\nf.limit = {}", 1, 2),
    "a function that a package's object holds": (
        "import numpy as np\ndef g(a): return {}\nA = np.vectorize(g)\ndef f(r): return A(r)",
        1,
        2,
    ),
    "which package a name is from": ("from {} import sqrt\ndef f(r): return sqrt(r)", "math", "numpy"),
    # Classes and their objects.
    "a class attribute": ("class C:\n    n = {}\n    def g(self): return self.n\ndef f(r): return C().g()", 1, 2),
    "a method": ("class C:\n    def g(self): return {}\ndef f(r): return C().g()", 1, 2),
    "a constant that a method reads": ("A = {}\nclass C:\n    def g(self): return A\ndef f(r): return C().g()", 1, 2),
    "an inherited method": (
        "class B:\n    def g(self): return {}\nclass C(B): pass\ndef f(r): return C().g()",
        1,
        2,
    ),
    "a property": ("class C:\n    @property\n    def g(self): return {}\ndef f(r): return C().g", 1, 2),
    "a static method": ("class C:\n    @staticmethod\n    def g(): return {}\ndef f(r): return C.g()", 1, 2),
    "a method of the class's class": (
        "class M(type):\n    def g(cls): return {}\nclass C(metaclass=M): pass\ndef f(r): return C.g()",
        1,
        2,
    ),
    "an object's attribute": (
        "class C:\n    def __init__(self, n): self.n = n\nA = C({})\ndef f(r): return A.n",
        1,
        2,
    ),
    "an attribute that was set later": (
        "class C:\n    def put(self, n): self.n = n\nA = C()\nA.put({})\ndef f(r): return A.n",
        1,
        2,
    ),
    "a slot": (
        "class C:\n    __slots__ = ('n',)\n    def __init__(self, n): self.n = n\nA = C({})\ndef f(r): return A.n",
        1,
        2,
    ),
    "an object that is called": (
        "class C:\n    def __init__(self, n): self.n = n\n    def __call__(self, r): return self.n\nf = C({})",
        1,
        2,
    ),
    "the object of a method": (
        "class C:\n    def __init__(self, n): self.n = n\n    def g(self, r): return self.n\nf = C({}).g",
        1,
        2,
    ),
    "a dict of its own class": (
        "class C(dict):\n    def __missing__(self, k): return {}\nA = C()\ndef f(r): return A[r]",
        1,
        2,
    ),
    "a text of its own class": ("class C(str): pass\nA = C({})\ndef f(r): return A", 1, 2),
    "which class of a factory": (
        (
            "def make(n):\n    class C:\n        def g(self): return n\n    return C\nA = dict({})\n"
            "def f(r): return A[r]().g()"
        ),
        "a=make(1), b=make(2)",
        "a=make(2), b=make(1)",
    ),
    "a class's name for another class": (
        "class B: n = 1\nclass C: n = 2\nA = {}\ndef f(r): return A.n",
        "B",
        "C",
    ),
    "classes that refer to each other": (
        "class B: n = {}\nclass C: other = B\nB.other = C\ndef f(r): return C.other.n",
        1,
        2,
    ),
    "a member of an enum": ("import enum\nclass C(enum.Enum):\n    A = {}\ndef f(r): return C.A", 1, 2),
    "which member": (
        "import enum\nclass C(enum.Enum):\n    X = 1\n    Y = 2\nA = C.{}\ndef f(r): return A",
        "X",
        "Y",
    ),
    "a default of a dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass C:\n    n: int = {}\ndef f(r): return C()",
        1,
        2,
    ),
    "a default that a dataclass makes": (
        (
            "import dataclasses\n@dataclasses.dataclass\nclass C:\n"
            "    n: list = dataclasses.field(default_factory=lambda: [{}])\ndef f(r): return C()"
        ),
        1,
        2,
    ),
    "a field of a dataclass": (
        (
            "import dataclasses\n@dataclasses.dataclass(frozen=True, slots=True)\nclass C:\n    n: int\n"
            "A = C({})\ndef f(r): return A.n"
        ),
        1,
        2,
    ),
    "a default of a named tuple": (
        "import collections\nC = collections.namedtuple('C', 'n', defaults=[{}])\ndef f(r): return C()",
        1,
        2,
    ),
    "a default of a model": (
        "import pydantic\nclass C(pydantic.BaseModel):\n    n: int = {}\ndef f(r): return C()",
        1,
        2,
    ),
    "a type in a model": (
        (
            "import pydantic\nfrom typing import Literal\nclass C(pydantic.BaseModel):\n    n: Literal[1, {}] = 1\n"
            "def f(r): return C()"
        ),
        2,
        3,
    ),
    "a limit in a model": (
        "import pydantic\nclass C(pydantic.BaseModel):\n    n: int = pydantic.Field(1, gt={})\ndef f(r): return C()",
        0,
        -1,
    ),
    "a pattern in a model": (
        (
            "import pydantic\nclass C(pydantic.BaseModel):\n    n: str = pydantic.Field('a', pattern={})\n"
            "def f(r): return C()"
        ),
        "'a'",
        "'b'",
    ),
    "a validator of a model": (
        (
            "import pydantic\nclass C(pydantic.BaseModel):\n    n: int = 1\n    @pydantic.field_validator('n')\n"
            "    @classmethod\n    def g(cls, n): return {}\ndef f(r): return C(n=1)"
        ),
        1,
        2,
    ),
    "a field of a model": (
        "import pydantic\nclass C(pydantic.BaseModel):\n    n: int\nA = C(n={})\ndef f(r): return A.n",
        1,
        2,
    ),
    "objects in a circle": (
        "class C: pass\nA, B = C(), C()\nA.to, B.to, B.n = B, A, {}\ndef f(r): return A.to.n",
        1,
        2,
    ),
    "a list that holds itself": ("A = [{}]\nA.append(A)\ndef f(r): return A", 1, 2),
    # What is beside something that changes while it runs.
    "an item beside a counter": ("A = dict(n=0, limit={})\ndef f(r):\n    A['n'] += 1\n    return A['limit']", 1, 2),
    "what an object was given as a container": (
        (
            "class C:\n    def __init__(self): self.n = {{}}\n    def __setitem__(self, k, v): self.n[k] = v\n"
            "    def __getitem__(self, k): return self.n[k]\nA = C()\nA['x'] = {}\n"
            "def f(r):\n    r['c'] = A['x']\n    return r"
        ),
        1,
        2,
    ),
    "what a method of a common name loaded": (
        (
            "import json\nclass C:\n    def load(self, n): self.n = n\nA = C()\nA.load({})\n"
            "def f(r): return json.load, A.n"
        ),
        1,
        2,
    ),
    "an attribute beside a counter": (
        "class C:\n    n = 0\n    limit = {}\nA = C()\ndef f(r):\n    A.n += 1\n    return A.limit",
        1,
        2,
    ),
}


@pytest.mark.parametrize("use", USES)
def test_a_change_of_what_it_uses_is_seen(load: Load, use: str) -> None:
    """Whatever a function uses of the user's own: another one gives another digest, the same one the same."""
    source, before, after = USES[use]
    first, again, other = (parts(load(source.format(value))) for value in (before, before, after))
    assert first == again
    assert first != other


BESIDE = {
    "another function": ("def f(r): return 1", "def g(): return 2\ndef f(r): return 1"),
    "another constant": ("A = 1\ndef f(r): return A", "A = 1\nB = 2\ndef f(r): return A"),
    "another import": ("def f(r): return 1", "import json\ndef f(r): return 1"),
    "a helper's docstring": (
        "def g(): return 1\ndef f(r): return g()",
        "def g():\n 'Why.'\n return 1\ndef f(r): return g()",
    ),
    "a class's docstring": ("class C:\n x = 1\ndef f(r): return C", "class C:\n 'Why.'\n x = 1\ndef f(r): return C"),
    "the order of methods": (
        "class C:\n def a(self): pass\n def b(self): pass\ndef f(r): return C",
        "class C:\n def b(self): pass\n def a(self): pass\ndef f(r): return C",
    ),
    "how a constant is written": ("A = 4\ndef f(r): return A", "A = 2 + 2\ndef f(r): return A"),
}  # fmt: skip


@pytest.mark.parametrize("change", BESIDE)
def test_what_it_does_not_use_goes_unnoticed(load: Load, change: str) -> None:
    """A change beside what a function uses keeps its digest."""
    before, after = BESIDE[change]
    assert parts(load(before)) == parts(load(after))


def test_the_part_that_differs_is_named(load: Load) -> None:
    """Each by what it is and is called; those of other modules with the module's name."""
    source = "A = {0}\nclass C:\n    def g(self): return {0}\ndef h(): return {0}\ndef f(r): return A, C, h"
    assert changed_parts(parts(load(source.format(1))), parts(load(source.format(2)))) == [
        "class C",
        "constant A",
        "function h",
    ]
    source = "class C:\n    def g(self): return {0}\nA = [C()]\ndef f(r): return A[0].g()"
    assert changed_parts(parts(load(source.format(1))), parts(load(source.format(2)))) == ["class C"]
    assert changed_parts({"constant A": "1", "function f": "2"}, {"constant B": "1", "function f": "2"}) == [
        "constant A (gone)",
        "constant B (new)",
    ]


@pytest.mark.parametrize("use", ["import beside\ndef f(r): {}", "def f(r):\n    import beside\n    {}"])
def test_modules_beside_the_script_are_followed(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    """Imported at the top or by the function, loaded or not; of what is imported at the top only what is used."""
    package = tmp_path / "beside"
    package.mkdir()
    at_top = use.startswith("import")

    def digest(*, limit: int = 1, inner: int = 1, unused: int = 1) -> dict[str, str]:
        for name in [name for name in sys.modules if name.partition(".")[0] == "beside"]:
            monkeypatch.delitem(sys.modules, name)
        (package / "__init__.py").write_text(f"from beside import sub\nfrom .deep import g\nUNUSED = {unused}\n")
        (package / "sub.py").write_text(f"LIMIT = {limit}\n")
        (package / "deep.py").write_text(f"INNER = {inner}\ndef g(): return INNER\n")
        return parts(load(use.format("return beside.sub.LIMIT, beside.g()")))

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = digest()
    named = {"limit": "constant beside.sub.LIMIT", "inner": "constant beside.deep.INNER"}
    if not at_top:
        named = {"limit": "module beside.sub", "inner": "module beside.deep"}
    for change, part in named.items():
        assert changed_parts(before, digest(**{change: 2})) == [part]
    assert (digest(unused=2) == before) is at_top


@pytest.mark.parametrize(
    "use",
    [
        "import loose.inner\ndef f(r): return loose.inner.N",
        "def f(r):\n    from loose import inner\n    return inner.N",
    ],
)
def test_a_folder_without_init_is_a_package_too(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    """Its modules are followed like others."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "loose").mkdir()

    def digest(number: int) -> dict[str, str]:
        for name in ("loose", "loose.inner"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / "loose" / "inner.py").write_text(f"N = {number}\n")
        return parts(load(use))

    assert digest(1) == digest(1) != digest(22)


def test_what_wraps_itself_ends() -> None:
    """A function that says that it wraps itself is one function."""

    def wrapped(row: dict[str, Any]) -> dict[str, Any]:
        return row

    wrapped.__wrapped__ = wrapped  # type: ignore[attr-defined]
    assert list(parts(wrapped)) == ["function wrapped"]


def test_a_package_counts_by_its_name_and_its_version_is_told(load: Load) -> None:
    """An upgrade of a package is no change of the user's code; which one was used is known."""
    found = code(load("import numpy as np\ndef f(r): return np.sqrt(r)"))
    assert found.packages["numpy"] == np.__version__
    assert set(found.parts) == {"function f", "module np"}


def test_a_decorator_of_this_package_is_looked_through() -> None:
    """What marks a function as a generator does not change what it does."""

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "x": 1}

    async def waiting(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "x": 1}

    assert parts(dd.custom_column_generator()(plain)) == parts(plain)
    assert parts(dd.custom_column_generator()(waiting)) == parts(waiting)


# --- what it changes -------------------------------------------------------------------------------------------

STATE = {
    "a counter": "A = 0\ndef f(r):\n    global A\n    A += 1",
    "a client that is made when it is needed": (
        "A = None\nclass C: pass\ndef g():\n    global A\n    if A is None: A = C()\n    return A\ndef f(r): return g()"
    ),
    "a cache": "A = {}\ndef f(r):\n    if r not in A: A[r] = 1\n    return A[r]",
    "a cache of lists": "import collections\nA = collections.defaultdict(list)\ndef f(r): A[r].append(1)",
    "an item of an item": "class C: n = 0\nA = {1: C(), 2: C(), 3: C()}\ndef f(r): A[r.real].n = 1",
    "a list": "A = []\ndef f(r):\n    def g(): A.append(r)\n    g()",
    "a default that is kept": "def g(r, known={}): known[r] = 1\ndef f(r): g(r)",
    "a closure": "def make():\n    n = 0\n    def f(r):\n        nonlocal n\n        n += 1\n    return f\nf = make()",
    "a closure over a dict": "def make():\n    n = {}\n    def f(r): n[r] = 1\n    return f\nf = make()",
    "an object's counter": (
        "class C:\n    def __init__(self): self.n = 0\n    def g(self): self.n += 1\nA = C()\ndef f(r): A.g()"
    ),
    "an object's cache": (
        "class C:\n    def __init__(self): self.n = {}\n    def __call__(self, r): self.n[r] = 1\nf = C()"
    ),
    "a method's object": "class C:\n    n = 0\n    def g(self, r): self.n += 1\nf = C().g",
    "a class's counter": "class B:\n    n = 0\n    @classmethod\n    def g(cls): cls.n += 1\nclass C(B): pass\ndef f(r): C.g()",  # noqa: E501
    "a property that keeps": (
        "class C:\n    n = None\n    @property\n    def g(self):\n        if self.n is None: self.n = 5\n"
        "        return self.n\nA = C()\ndef f(r): return A.g"
    ),
    "a cached property": (
        "import functools\nclass C:\n    @functools.cached_property\n    def g(self): return 5\n"
        "A = C()\ndef f(r): return A.g"
    ),
    "a cache of Python's": "import functools\n@functools.lru_cache\ndef g(r): return 1\ndef f(r): return g(r)",
    "a memory of one's own": (
        "def keep(g):\n    known = {}\n    def inner(r):\n        if r not in known: known[r] = g(r)\n"
        "        return known[r]\n    return inner\n@keep\ndef f(r): return 1"
    ),
    "an attribute of a function": "def f(r): f.calls += 1\nf.calls = 0",
    "a stream of random numbers": "import random\nA = random.Random(1)\ndef f(r): return A.random()",
    "a single object": (
        "class C:\n    one = None\n    @classmethod\n    def get(cls):\n        if cls.one is None: cls.one = cls()\n"
        "        return cls.one\ndef f(r): return C.get()"
    ),
    "a model": "import pydantic\nclass C(pydantic.BaseModel):\n    n: int = 0\nA = C()\ndef f(r): A.n += 1",
    "an array": "import numpy as np\nA = np.zeros(3)\ndef f(r): A[0] += 1",
    "an object that is written like a dict": (
        "class C:\n    def __init__(self): self.n = {}\n    def __setitem__(self, k, v): self.n[k] = v\n"
        "A = C()\ndef f(r): A[r] = 1"
    ),
    "a lock": "import threading\nA = threading.Lock()\ndef f(r):\n    with A: pass",
}


@pytest.mark.parametrize("kind", STATE)
def test_what_it_changes_while_it_runs_is_not_what_it_is(load: Load, kind: str) -> None:
    """After it has run a function is the same: else a run in the same process could not go on."""
    function = load(STATE[kind])
    before = parts(function)
    for number in (1, 2, 3):
        function(number)
    assert parts(function) == before


def test_no_code_of_the_user_is_run_for_it(load: Load) -> None:
    """Not by comparing, hashing, printing, iterating, or reading properties; what such an object holds is seen."""
    names = "__eq__ __hash__ __repr__ __str__ __len__ __iter__ __bool__ __reduce_ex__ __getstate__ __getattr__"
    methods = "\n".join(f"    def {name}(self, *_): raise SystemExit" for name in names.split())
    source = (
        f"class C:\n{methods}\n    __class__ = property(lambda self: 1 / 0)\nclass D(dict):\n"
        "    items = keys = __iter__ = __len__ = lambda self: 1 / 0\n"
        "A, B = C(), D(n={0})\nobject.__setattr__(A, 'n', {0})\ndef f(r): return A.n, B['n']\n"
    )
    before, after = (parts(load(source.format(number))) for number in (1, 2))
    assert changed_parts(before, after) == ["constant A", "constant B"]


# --- data ------------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.integers(0, 2), inner, max_size=3)
    ),
    max_leaves=6,
)


def reading(value: Any) -> Function:
    """A function that closes over a value."""
    return lambda: value


@examples(200)
@given(DATA, DATA)
def test_two_values_have_the_same_digest_if_they_are_the_same(one: Any, other: Any) -> None:
    """The same to the type of each number and the order of each dict."""
    assert parts(reading(one)) == parts(reading(copy.deepcopy(one)))
    assert (parts(reading(one)) == parts(reading(other))) == (repr(one) == repr(other))


@examples(50)
@given(st.lists(st.text(max_size=3) | st.integers(0, 5), unique=True), st.randoms(use_true_random=False))
def test_a_set_has_no_order(items: list[Any], random: Any) -> None:
    """However it came to be."""
    shuffled = list(items)
    random.shuffle(shuffled)
    assert parts(reading(set(items))) == parts(reading(set(shuffled)))


# --- the same everywhere ---------------------------------------------------------------------------------------

EVERYWHERE = """
import enum, re
from dataclasses import dataclass
import attrs
from pathlib import Path

class Mood(enum.StrEnum):
    CALM = "calm"
    WILD = "wild"

class Rules:
    words = {"tea", "rain", "wind", "storm"}
    def __init__(self, found): self.found = found
    def __call__(self, row): return row["n"] in {"a", "b", "c"} and self.words

@attrs.frozen
class Weather:
    sky: str = "grey"

@dataclass(frozen=True, order=True)
class Place:
    name: str = "home"

KNOWN = {Weather(): Place(), frozenset({"x", "y", "z"}): Path("here"), Mood.CALM: re.compile("a+")}
rules = Rules({Mood.CALM, Mood.WILD})

def f(row):
    "What it does."
    return rules(row), KNOWN, [word for word in Rules.words if word in {"p", "q", "r", "s"}]
"""
SAYS = (
    "\nimport json\nfrom data_designer.plan.user_code import user_code\nprint(json.dumps(user_code(dict(f=f)).parts))"
)


@pytest.mark.usefixtures("processes")
def test_a_digest_is_the_same_in_every_process(load: Load, tmp_path: Path) -> None:
    """In a script, a module, an interpreter, after it has travelled; whatever texts hash to there."""
    (tmp_path / "module_of_it.py").write_text(EVERYWHERE)
    (tmp_path / "script.py").write_text(EVERYWHERE + SAYS)
    ways = (["script.py"], ["-c", f"from module_of_it import f{SAYS}"], ["-c", EVERYWHERE + SAYS])
    found = [
        json.loads(
            subprocess.check_output(
                [sys.executable, *way], cwd=tmp_path, env={**os.environ, "PYTHONHASHSEED": str(number)}
            )
        )
        for number, way in enumerate(ways)
    ]
    here = load(EVERYWHERE)
    assert found == [parts(here)] * 3
    module = sys.modules[here.__module__]
    cloudpickle.register_pickle_by_value(module)
    try:
        assert parts(cloudpickle.loads(cloudpickle.dumps(here))) == parts(here)
    finally:
        cloudpickle.unregister_pickle_by_value(module)


# --- forms of functions ----------------------------------------------------------------------------------------


class Doubling:
    """An object that is called."""

    def __call__(self, row: dict[str, Any]) -> Any:
        """Double."""
        return row["n"] * 2

    def method(self, row: dict[str, Any]) -> Any:
        """Double, as a method."""
        return row["n"] * 2


class Trebling:
    """One that differs in a number only."""

    def __call__(self, row: dict[str, Any]) -> Any:
        """Treble."""
        return row["n"] * 3

    def method(self, row: dict[str, Any]) -> Any:
        """Treble, as a method."""
        return row["n"] * 3


def test_objects_that_are_called_are_told_by_their_class() -> None:
    """Two objects of a class have the same digest, objects of classes with other code another; methods likewise."""
    assert parts(Doubling()) == parts(Doubling())
    assert parts(Doubling()).values() != parts(Trebling()).values()
    assert parts(Doubling().method) == parts(Doubling().method)
    assert parts(Doubling().method) != parts(Trebling().method)


def judged(row: dict[str, Any], marks: int = 1) -> Any:
    """Call everything valid."""
    return {**row, "valid": True, "marks": marks}


def misjudged(row: dict[str, Any], marks: int = 1) -> Any:
    """Call nothing valid."""
    return {**row, "valid": False, "marks": marks}


misjudged.__name__ = judged.__name__


def test_partial_functions_are_told_by_what_they_call_and_with_what() -> None:
    """Neither another function nor other arguments go unnoticed."""
    calls = [functools.partial(*call) for call in ((judged,), (misjudged,), (judged, 1), (judged, 2))]
    assert len({tuple(parts(call).items()) for call in calls}) == len(calls)


def logged(function: Function) -> Function:
    """Wrap a function as most decorators do."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def test_a_decorated_function_is_told_by_its_own_code_too() -> None:
    """Not all functions with one decorator are the same; with one more decorator a function is another."""
    assert parts(logged(judged)) == parts(logged(judged))
    assert parts(logged(judged)) != parts(logged(misjudged))
    assert parts(logged(logged(judged))) != parts(logged(logged(misjudged)))
    assert parts(logged(logged(judged))) != parts(logged(judged)) != parts(judged)


def test_functions_of_a_factory_are_told_by_what_they_close_over() -> None:
    """Two functions of one text that were made with different values do different things."""

    def scaled(factor: int) -> Function:
        return lambda row: row["n"] * factor

    assert parts(scaled(2)) == parts(scaled(2))
    assert parts(scaled(2)) != parts(scaled(3))


def test_lambdas_of_one_line_are_told_apart() -> None:
    """The source of a lambda is the whole line it is in; its own code counts."""
    one, other = (lambda row: row["n"] + 1), (lambda row: row["n"] + 2)
    again = lambda row: row["n"] + 1  # noqa: E731 - it is what is tested
    assert parts(one) == parts(again) != parts(other)


def test_a_function_that_calls_itself_has_a_digest() -> None:
    """A recursive function inside another one closes over itself."""

    def make(step: int) -> Function:
        def down(n: int) -> int:
            return n if n <= 0 else down(n - step)

        return down

    assert parts(make(1)) == parts(make(1)) != parts(make(2))


def test_what_is_large_is_bounded() -> None:
    """A list of millions counts by its length, what is nested too deeply by its kind; neither takes long or fails."""
    many = [0] * 3_000_000
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert parts(reading(many)) == parts(reading([1] * 3_000_000)) != parts(reading([0] * 2_000_000))
    assert parts(reading(deep)) == parts(reading([deep]))
