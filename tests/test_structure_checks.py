"""That the checks of the house notice what they are for."""

from __future__ import annotations

from typing import Protocol

import pytest

import fnn
from tests.test_structure import TIERS, front_violations, import_violations, lines_of_code, says_what_it_is

LATER = "def f():\n    "
NEVER = "if TYPE_CHECKING:\n    "


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("losses", "from fnn.activations import Softmax", None),
        ("losses", "from fnn import activations, checks", None),
        ("losses", "import fnn.activations", None),
        ("losses", "from fnn.layers import Dense", "losses:1: layers is in tier {layers}, and losses in {losses}"),
        (
            "entropies",
            "import math\nfrom fnn.dataset import Batch",
            "entropies:2: dataset is in tier {dataset}, and entropies in {entropies}",
        ),
        ("losses", "from fnn.losses import MSE", "losses:1: losses is in tier {losses}, and losses in {losses}"),
        ("checks", "import fnn.arrays as a", "checks:1: arrays is in tier {arrays}, and checks in {checks}"),
        ("losses", "from fnn import checks, network", "losses:1: network is in tier {network}, and losses in {losses}"),
        (
            "losses",
            LATER + "from fnn.network import mlp",
            "losses:2: network is in tier {network}, and losses in {losses}",
        ),
        (
            "losses",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fnn.layers import Dense",
            "losses:3: layers is in tier {layers}, and losses in {losses}",
        ),
        ("analysis", NEVER + "from fnn.metrics import ConfusionMatrix", "analysis:2: metrics is an edge"),
        ("plots", "from fnn.metrics import ConfusionMatrix", None),
        ("plots", LATER + "from matplotlib import pyplot", None),
        ("plots", "from matplotlib import pyplot", "plots:1: matplotlib outside a function"),
        ("plots", "from fnn.plots import images", "plots:1: plots is in tier {plots}, and plots in {plots}"),
        ("metrics", "from fnn.plots import images", "metrics:1: plots is an edge"),
        ("fitting", NEVER + "from fnn.metrics import ConfusionMatrix", "fitting:2: metrics is an edge"),
        ("losses", NEVER + "from matplotlib.axes import Axes", None),
        ("losses", NEVER + "pass\nelse:\n    import matplotlib", "losses:4: matplotlib outside a function"),
        ("losses", "try:\n    from fnn.network import mlp\nexcept ImportError:\n    pass", "losses:2: network"),
        ("fitting", "from fnn.metrics import confusion_matrix", "fitting:1: metrics is an edge"),
        ("analysis", "from fnn.data import load_idx", "analysis:1: data is an edge"),
        ("losses", "import fnn", "losses:1: fnn is no module of a tier"),
        ("losses", "from fnn import Dense", "losses:1: fnn.Dense is no module of a tier"),
        ("losses", "from fnn.attic import old", "losses:1: fnn.attic is no module of a tier"),
        ("losses", "from . import checks", "losses:1: a relative import"),
        ("losses", "from .checks import part", "losses:1: a relative import"),
        ("losses", "import numpy as np, attrs, math", None),
        ("losses", "from numpy.typing import NDArray", None),
        ("losses", LATER + "from scipy.special import erf", None),
        ("losses", LATER + "import sklearn.metrics", None),
        ("losses", "from scipy.special import erf", "losses:1: scipy outside a function"),
        ("losses", "import numpy, sklearn.metrics", "losses:1: sklearn outside a function"),
        ("losses", "class A:\n    import tqdm", "losses:2: tqdm outside a function"),
        ("losses", "if True:\n    import numba", "losses:2: numba outside a function"),
    ],
)
def test_imports(name: str, source: str, problem: str | None) -> None:
    found = import_violations(name, source)
    assert found == [] if problem is None else len(found) == 1 and found[0].startswith(problem.format(**TIERS))


FRONT = '"""Doc."""\nfrom fnn.losses import MSE, Huber\nfrom fnn.scores import accuracy, r2\n'


@pytest.mark.parametrize(
    ("source", "problems"),
    [
        (FRONT + '__all__ = ["MSE", "Huber", "accuracy", "r2"]', []),
        (FRONT + '__all__ = ["Huber", "MSE", "accuracy", "r2"]', ["__all__ is not sorted"]),
        (FRONT + '__all__ = ["MSE", "Huber", "r2", "accuracy"]', ["__all__ is not sorted"]),
        (FRONT + '__all__ = ["MSE", "accuracy", "r2"]', ["Huber is not in __all__"]),
        (FRONT + '__all__ = ["MSE", "Huber", "accuracy", "r2", "zeta"]', ["zeta is not imported"]),
        (FRONT + '__all__ = ["MSE", "Huber", "accuracy", "r2", "r2"]', ["r2 twice in __all__"]),
        (FRONT.replace("r2", "r2 as best") + '__all__ = ["MSE", "Huber", "accuracy", "best"]', []),
        (FRONT + '__all__ = ["MSE", "Huber", "accuracy", "r2"]\nx = 1', ["line 5: neither an import"]),
        (FRONT + 'import sys\n__all__ = ["MSE", "Huber", "accuracy", "r2"]', ["line 4: neither an import"]),
        (FRONT + 'from os import path\n__all__ = ["MSE", "Huber", "accuracy", "r2"]', ["line 4: neither an import"]),
        ("import fnn.losses\n__all__ = []", ["no docstring"]),
        ('"""Doc."""\nfrom fnn.idx import load_idx\n__all__ = ["load_idx"]', ["idx is imported at once", "what is"]),
        (
            '"""Doc."""\nif TYPE_CHECKING:\n    from fnn.scores import r2\n__all__ = ["r2"]',
            ["scores is imported later"],
        ),
        (
            '"""Doc."""\nif TYPE_CHECKING:\n    from fnn.idx import load_idx\n__all__ = ["load_idx"]',
            ["what is imported"],
        ),
    ],
)
def test_front_door(source: str, problems: list[str]) -> None:
    found = front_violations(source, {})
    assert len(found) == len(problems)
    assert all(one.startswith(problem) for one, problem in zip(found, problems, strict=True))


def test_a_front_door_with_rooms_for_later() -> None:
    source = '"""Doc."""\nif TYPE_CHECKING:\n    from fnn.idx import a, b\n__all__ = ["a", "b"]'
    assert front_violations(source, {"idx": "a b"}) == []
    assert front_violations(source, {"idx": "a"}) == ["what is imported later is not what is imported for types"]


def test_lines_of_code() -> None:
    source = '''"""A docstring
of two lines."""

# A comment.
import math  # and one behind code

TEXT = """of
three
lines"""


def f(
    x: int,
) -> int:
    """A docstring."""

    return (
        x
        # within
        + 1
    )


class A:
    """A docstring.

    >>> 1
    """

    b: int
    """no docstring, as ast has it"""
'''
    assert lines_of_code(source) == 1 + 3 + 3 + 4 + 1 + 2
    assert lines_of_code("") == 0
    assert lines_of_code('"""Only words."""\n') == 0


def test_docstrings() -> None:
    class Complete(Protocol):
        """What is asked."""

        def value(self) -> float:
            """A number."""

    class Partial(Protocol):
        """What is asked."""

        def value(self) -> float: ...

    class Bare:
        pass

    class Short:
        """A class."""

        def method(self) -> None:
            """Do it."""

    class Long:
        """A class.

        Attributes:
            none: of them.
        """

    assert says_what_it_is(Complete)
    assert says_what_it_is(Long)
    assert says_what_it_is(fnn.Dataset.take)
    assert not says_what_it_is(Partial)
    assert not says_what_it_is(Bare)
    assert not says_what_it_is(Short)
    assert not says_what_it_is(Complete.value)
