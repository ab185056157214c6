"""The house: which room may know of which, how large it all may be, and that every public name says what it is."""

from __future__ import annotations

import ast
import inspect
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import fnn
import fnn.later
import fnn.plain

FOLDER = Path(fnn.__file__).parent
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.py"))}
ROOMS = {name: source for name, source in SOURCES.items() if name != "__init__"}

# An import goes from a higher tier to a lower one; the last tier but two are the edges, which only the last two may
# import: figures of their records, a diagnosis of their findings, files of what they make.
TIERS = {
    name: tier
    for tier, names in enumerate(
        [
            "arrays blas buffers checks compiled later plain tables",
            "compiling",
            "foreign",
            "threaded",
            "kernels",
            "dense",
            "stacked",
            "scans stacks",
            "params regularizers scores settings",
            "activations randomness schedules",
            "averages dataset descent entropies initializers",
            "adam layers losses optimizers splits",
            "network",
            "backprop",
            "passes",
            "evaluation runs",
            "divergence strides",
            "training",
            "fitting",
            "analysis arguments atomic data distortions drawing ensembles findings idx lbfgs metrics preprocessing "
            "probabilities provenance reports specs tensorfile tracing",
            "arrayfiles diagnosis estimating images plots recordfile states",
            "files",
            "estimatorfiles",
            "fitted",
            "perceptrons",
            "estimators",
        ]
    )
    for name in names.split()
}
EDGE = TIERS["plots"] - 1
LIGHT = {"numpy", "attrs"}  # what a module may import at its top, besides the standard library
NUMBAS = {"numba", "llvmlite"}
LATE = {
    "estimators": {"sklearn"},
    "fitted": {"sklearn"},
    "perceptrons": {"sklearn"},
    "foreign": NUMBAS,
    "scans": NUMBAS,
    "stacked": NUMBAS,
    "threaded": NUMBAS,
}  # rooms that are imported when used, and what they may import besides
LONGEST = 350  # lines of a file
# Lines of code in all rooms but the edges and the front door's own: of what does the work, of each member of the
# families it works with, of each inner loop, which is there twice, and of a whole pass and many steps at once.
FAMILIES = {"activations", "adam", "entropies", "initializers", "layers", "losses", "optimizers", "schedules"}
LOOPS = {"compiled", "compiling", "kernels", "plain", "threaded"}
AT_ONCE = {"blas", "buffers", "dense", "foreign", "scans", "stacked", "stacks", "strides"}
BUDGET, A_MEMBER, A_LOOP, ALL_AT_ONCE = 1930, 16, 24, 550


def imports(source: str) -> Iterator[tuple[int, str, str]]:
    """Each import of a module: its line, what is imported ("fnn.checks" for `from fnn import checks`), and when.

    "at once", "later" within a function, or "never" under `if TYPE_CHECKING:`, for annotations alone.
    """

    def within(node: ast.AST, when: str) -> Iterator[tuple[int, str, str]]:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names = [f"fnn.{alias.name}" for alias in node.names] if module == "fnn" else [module]
            yield from ((node.lineno, name, when) for name in names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for part in node.body:
                yield from within(part, "never")
            for part in node.orelse:
                yield from within(part, when)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from within(child, "later" if function else when)

    return within(ast.parse(source), "at once")


def import_violations(name: str, source: str) -> list[str]:
    """Where a module imports what it may not."""
    found = []
    for line, imported, when in imports(source):
        package, _, rest = imported.partition(".")
        room = rest.split(".")[0]
        if package == "":
            found.append(f"{name}:{line}: a relative import")
        elif package == "fnn" and room not in TIERS:
            found.append(f"{name}:{line}: {imported} is no module of a tier")
        elif package == "fnn" and room in LATE and when == "at once" and name not in LATE:
            found.append(f"{name}:{line}: {room} outside a function")
        elif package == "fnn" and TIERS[room] >= EDGE >= TIERS[name]:
            found.append(f"{name}:{line}: {room} is an edge")
        elif package == "fnn" and TIERS[room] >= TIERS[name]:
            found.append(f"{name}:{line}: {room} is in tier {TIERS[room]}, and {name} in {TIERS[name]}")
        elif (
            package != "fnn"
            and when == "at once"
            and package not in (LIGHT | LATE.get(name, set()) | sys.stdlib_module_names)
        ):
            found.append(f"{name}:{line}: {package} outside a function")
    return found


def rank(name: str) -> tuple[int, str]:
    """CONSTANTS, Classes, functions; each by name."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


FRONT = ["from typing import TYPE_CHECKING", "if not TYPE_CHECKING:\n    from fnn.later import __dir__, __getattr__"]


def front_violations(source: str, later: dict[str, str]) -> list[str]:
    """Where the front door is wrong.

    It is a docstring, an import of each public name from its room (of an edge's under `if TYPE_CHECKING:`), a sorted
    __all__ of just these, and what imports those of the table `later` when they are asked for.
    """
    found: list[str] = []
    public: list[str] = []
    imported: dict[str, list[str]] = {}
    docstring, *body = ast.parse(source).body
    if not isinstance(docstring, ast.Expr):
        found.append("no docstring")
    for node in body:
        late = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for part in getattr(node, "body", []) if late else [node]:
            if isinstance(part, ast.ImportFrom) and part.module in {f"fnn.{room}" for room in TIERS}:
                room = part.module.removeprefix("fnn.")
                if (TIERS[room] >= EDGE) != late:
                    found.append(f"{room} is imported {'later' if late else 'at once'}")
                imported[room] = [alias.asname or alias.name for alias in part.names]
            elif isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "__all__":
                public = ast.literal_eval(part.value)
            elif ast.unparse(part) not in FRONT:
                found.append(f"line {part.lineno}: neither an import from a room nor __all__")
    if public != sorted(public, key=rank):
        found.append("__all__ is not sorted")
    if later != {room: " ".join(names) for room, names in imported.items() if TIERS[room] >= EDGE}:
        found.append("what is imported later is not what is imported for types")
    names = [name for part in imported.values() for name in part]
    found += [f"{name} is not in __all__" for name in sorted(set(names) - set(public))]
    found += [f"{name} is not imported" for name in sorted(set(public) - set(names))]
    found += [f"{name} twice in __all__" for name in sorted({name for name in public if public.count(name) > 1})]
    return found


def lines_of_code(source: str) -> int:
    """How many lines hold code: without docstrings, comments and blanks."""
    nothing = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {n for token in tokens if token.type not in nothing for n in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(lines)


def says_what_it_is(value: object) -> bool:
    """Whether a docstring has a number that a doctest prints, or says what the parts are.

    Of a Protocol each method has a docstring. A method that is public as a function is told of by its class.
    """
    doc = value.__doc__ or ""
    if any(mark in doc for mark in (">>> ", "Args:\n", "Attributes:\n", "Raises:\n")):
        return True
    if getattr(value, "_is_protocol", False):
        return bool(doc) and all(vars(value)[name].__doc__ for name in vars(value) if name in _methods(value))
    if inspect.isfunction(value) and "." in value.__qualname__:
        owner = getattr(fnn, value.__qualname__.split(".")[0], None)
        return bool(doc) and says_what_it_is(owner)
    return False


def _methods(protocol: object) -> set[str]:
    return {name for name, part in vars(protocol).items() if inspect.isfunction(part) or isinstance(part, property)} - {
        "__init__",
        "__subclasshook__",
    }


def test_every_room_has_a_tier() -> None:
    assert sorted(TIERS) == sorted(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_imports_go_to_lower_tiers(name: str) -> None:
    assert import_violations(name, ROOMS[name]) == []


def test_the_front_door_has_the_public_names_and_nothing_else() -> None:
    assert front_violations(SOURCES["__init__"], fnn.later.LATER) == []


@pytest.mark.parametrize("name", SOURCES)
def test_no_file_is_two_rooms(name: str) -> None:
    assert len(SOURCES[name].splitlines()) <= LONGEST


def test_the_budget() -> None:
    sizes = {name: lines_of_code(source) for name, source in ROOMS.items() if TIERS[name] < EDGE and name != "later"}
    members = [part for part in vars(fnn).values() if isinstance(part, type) and issubclass(part, fnn.Spec)]
    of_families = [member for member in members if member.__module__.split(".")[-1] in FAMILIES]
    assert len(of_families) == 53
    assert sum(sizes[name] for name in FAMILIES) <= A_MEMBER * len(of_families), sizes
    loops = [name for name, part in vars(fnn.plain).items() if inspect.isfunction(part) and name[0] != "_"]
    loops = [name for name in loops if vars(fnn.plain)[name].__module__ == "fnn.plain"]
    assert sum(sizes[name] for name in LOOPS) <= A_LOOP * len(loops), sizes
    assert sum(sizes[name] for name in AT_ONCE) <= ALL_AT_ONCE, sizes
    assert sum(sizes[name] for name in sizes.keys() - FAMILIES - LOOPS - AT_ONCE) <= BUDGET, sizes


def test_the_shell_of_the_estimators_is_thin() -> None:
    rooms = ("estimators", "perceptrons", "fitted", "arguments", "estimating", "estimatorfiles")
    assert sum(lines_of_code(SOURCES[room]) for room in rooms) < 700


ALIASES = {"Array", "Floats", "Monitor"}  # of types: what they are is what they say


@pytest.mark.parametrize("name", sorted(set(fnn.__all__) - ALIASES))
def test_public_names_say_what_they_are(name: str) -> None:
    assert says_what_it_is(getattr(fnn, name))
