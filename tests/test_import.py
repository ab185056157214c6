"""What `import fnn` loads, and how long it takes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HEAVY = ["PIL", "joblib", "matplotlib", "numba", "pandas", "safetensors", "scipy", "sklearn", "tqdm"]
LIMIT = 0.060  # seconds more than `import numpy`
PAIRS = 7


def in_a_new_process(program: str, environment: dict[str, str] | None = None) -> Any:
    """What a program prints as JSON in its last line; with an error, or a warning, it fails."""
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout.splitlines()[-1])


def loaded_by(program: str) -> set[str]:
    """The top-level names that a program loads beyond the standard library and what Python itself begins with."""
    report = "import json; print(json.dumps([name.split('.')[0] for name in set(sys.modules) - before]))"
    names = in_a_new_process(f"import sys; before = set(sys.modules)\n{program}\n{report}")
    return set(names) - set(sys.stdlib_module_names)


def test_it_loads_numpy_and_attrs_and_nothing_else_heavy() -> None:
    loaded = loaded_by("import fnn")
    assert loaded.isdisjoint(HEAVY)
    assert loaded - loaded_by("import numpy, attrs") == {"fnn"}


def test_what_training_does_not_need_is_imported_when_asked_for() -> None:
    program = """
import json, sys, fnn
def loaded(): return {name for name in sys.modules if name.startswith("fnn.")}
before = loaded()
assert {"save", "load_mnist"} <= set(dir(fnn)) and loaded() == before
fnn.load_mnist, fnn.load_mnist
after = loaded()
try:
    fnn.load_minst
except AttributeError as error:
    print(json.dumps([sorted(after - before), sorted(before & {"fnn.files", "fnn.idx"}), str(error)]))
"""
    assert in_a_new_process(program) == [["fnn.idx"], [], "module 'fnn' has no attribute 'load_minst'"]


def test_figures_and_pictures_load_no_more_before_they_are_asked_for() -> None:
    assert loaded_by("from fnn import images, plots").isdisjoint(HEAVY)


def test_nor_does_training_without_a_bar() -> None:
    program = """
import numpy as np, fnn
data = fnn.Dataset(np.eye(4), np.arange(4))
run = fnn.fit(fnn.mlp(4, 5, 4), data, epochs=2, validation=data)
fnn.predict(run.recipe.network, run.best, data.x), fnn.evaluate(run.recipe.network, run.best, data)
str(fnn.summary(run.recipe.network)), fnn.history_table(run), fnn.digest(run)
"""
    assert loaded_by(program).isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("use", "library"),
    [
        ("fnn.Gelu().value(np.ones((1, 1)))", "scipy"),
        ("fnn.load_digits()", "sklearn"),
        ("fnn.split(fnn.Dataset(np.ones((4, 1)), np.ones(4)), 0.5)", "sklearn"),
        ("fnn.confusion_matrix([0, 1], [1, 1])", "sklearn"),
        ("from fnn import plots; plots.schedule(fnn.Constant(1.0), 3)", "matplotlib"),
        ("from fnn import images; images.prepare(np.pad(np.ones((9, 3)), 9))", "PIL"),
        ("fnn.fit(fnn.mlp(1, 2), fnn.Dataset([[1.0]], [1]), epochs=1, progress=True)", "tqdm"),
    ],
)
def test_what_needs_a_library_loads_it(use: str, library: str) -> None:
    assert library in loaded_by(f"import io, numpy as np, fnn; sys.stderr = io.StringIO(); {use}")


def test_it_changes_nothing_for_others() -> None:
    program = """
import json, os, random, warnings, numpy as np
def look():
    draws = np.random.get_state()[1].tolist(), hash(random.getstate())
    return [repr(np.geterr()), repr(np.get_printoptions()), repr(warnings.filters), dict(os.environ), draws]
before = look()
import fnn
print(json.dumps(before == look()))
"""
    assert in_a_new_process(program) is True


def seconds(module: str, cache: Path) -> float:
    """How long an import takes in a new process, from byte code in a folder of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(cache)
    clock = "from time import perf_counter as clock; start = clock()"
    return float(in_a_new_process(f"{clock}\nimport {module}\nprint(clock() - start)", environment))


def test_it_takes_hardly_longer_than_numpy(tmp_path: Path) -> None:
    """The median of differences between runs next to each other, some of which are slow.

    Whatever else runs only adds to it, so the least of three medians counts; the first small one ends it.
    """
    seconds("fnn", tmp_path)  # compiles everything
    medians: list[float] = []
    for _ in range(3):
        medians.append(statistics.median(-seconds("numpy", tmp_path) + seconds("fnn", tmp_path) for _ in range(PAIRS)))
        if medians[-1] <= LIMIT:
            break
    assert min(medians) <= LIMIT
