"""Figures by their artists' data, on Axes that were given and on their own; that there is ink, and labels to read."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.sparse import csr_array

import fnn
from fnn import plots
from tests.stand_ins import exactly
from tests.test_purity import call_purely

RECORDS = tuple(
    fnn.EpochRecord(i + 1, 1 / (i + 1), 0.5 + i / 10, v, 0.4 + i / 10) for i, v in enumerate([0.9, 0.5, 0.6])
)
XOR = fnn.Dataset([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
LINE = fnn.Network(2, (fnn.Dense(1, "sigmoid"),), loss="binary_cross_entropy")
LINE_PARAMS = fnn.pack_params(LINE, [[[4.0], [0.0]], [-2.0]])  # yes right of x₀ = 0.5
AREAS = fnn.mlp(2, 3)
AREAS_PARAMS = fnn.pack_params(AREAS, [[[0.0, 9.0, 0.0], [0.0, 0.0, 9.0]], [6.0, 0.0, 0.0]])
THREE = fnn.Dataset([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0, 1, 2])
PICTURES = np.arange(3 * 16, dtype=np.uint8).reshape(3, 16)
OUTPUTS = np.array([[0.9, 0.1], [0.25, 0.75], [0.503, 0.497]])
MATRIX = fnn.confusion_matrix([0, 0, 0, 1, 1, 3], [0, 0, 1, 1, 1, 0])
COUNTS = fnn.class_counts(train=[0, 1, 1, 5], test=[5, 5])
CALIBRATION = fnn.calibration([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.9], bins=2)


def points(line: Any) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in line.get_xydata()]


def a_run() -> fnn.TrainState:
    return attrs.evolve(fnn.start(fnn.mlp(2, 2)), history=RECORDS, best_epoch=2, epoch=3)


def a_trace() -> fnn.Trace:
    network = fnn.Network(2, (fnn.Dense(4, "tanh"), fnn.Dropout(0.1), fnn.Dense(3, "tanh"), fnn.Dense(1)), loss="mse")
    return fnn.trace(network, fnn.init_params(network, 0), [[1.0, 2.0]], [3.0])


# Each public function, with arguments of its own.
CALLS: dict[str, tuple[Any, ...]] = {
    "activation": (fnn.Gelu(),),
    "calibration": (CALIBRATION,),
    "class_counts": (COUNTS,),
    "compare": ({"one": a_run(), "other": a_run()},),
    "confusion_matrix": (MATRIX,),
    "decision_boundary": (fnn.decision_boundary(LINE, LINE_PARAMS, XOR),),
    "gradient_norms": ({"tanh": a_trace()},),
    "heat_map": (np.arange(6.0).reshape(2, 3),),
    "history": (a_run(),),
    "images": (PICTURES,),
    "per_class_accuracy": (MATRIX,),
    "predictions": (PICTURES, np.array([0, 0, 1]), OUTPUTS),
    "schedule": (fnn.Cosine(1e-3, steps=10), 12),
}
LOOSE: Any = plots  # for what mypy would not let pass
SMALL = fnn.mlp(2, 2)
NOTHING = fnn.trace(SMALL, fnn.init_params(SMALL, 0), [[0.0, 0.0]], [1])  # of inputs of 0
WITHOUT_AXES = {"images", "predictions"}  # pictures need no axis


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def an_axes() -> Axes:
    return Figure(layout="constrained").subplots()


def ink(ax: Axes) -> float:
    """How much of the figure is not white."""
    canvas: Any = FigureCanvasAgg(ax.get_figure(root=True))
    canvas.draw()
    return float((np.asarray(canvas.buffer_rgba())[..., :3].min(axis=-1) < 250).mean())


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def image(ax: Axes, i: int = 0) -> np.ndarray[Any, Any]:
    return np.asarray(ax.images[i].get_array())


# All of them.


def test_every_public_function_is_here_and_says_what_it_is() -> None:
    public = {
        name: value
        for name, value in vars(plots).items()
        if inspect.isfunction(value) and value.__module__ == "fnn.plots" and not name.startswith("_")
    }
    assert set(public) == set(CALLS)
    assert all(function.__doc__ for function in public.values())
    assert ">>> " in (plots.__doc__ or "")


@pytest.mark.parametrize("name", CALLS)
def test_it_draws_on_the_axes_that_it_is_given_and_returns_them(name: str) -> None:
    ax = an_axes()
    assert call_purely(getattr(plots, name), *CALLS[name], ax=ax) is ax
    assert pyplot.get_fignums() == []
    assert ink(ax) > 0.005
    assert ax.has_data()
    if name not in WITHOUT_AXES:
        assert ax.get_xlabel()
        assert ax.get_ylabel()


@pytest.mark.parametrize("name", CALLS)
def test_without_axes_it_makes_a_figure(name: str) -> None:
    ax = getattr(plots, name)(*CALLS[name])
    assert isinstance(ax, Axes)
    assert pyplot.get_fignums() == [1]
    assert 0.005 < ink(ax) < 0.9


@pytest.mark.parametrize("name", CALLS)
def test_axes_that_are_none_are_refused(name: str) -> None:
    figure = Figure()
    message = f"{name}: `ax` must be an Axes, got a Figure. A figure's are `figure.subplots()`."
    with pytest.raises(TypeError, match=exactly(message)):
        getattr(plots, name)(*CALLS[name], ax=figure)
    with pytest.raises(TypeError, match=f"^{name}: `ax` must be an Axes, got a"):
        getattr(plots, name)(*CALLS[name], ax=np.array([an_axes()]))


def test_without_matplotlib_it_says_what_to_install() -> None:
    program = """
import sys
sys.modules["matplotlib"] = None
from fnn import plots
import fnn
try:
    plots.schedule(fnn.Constant(0.1), 3)
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "schedule: matplotlib is needed. Install it with `pip install matplotlib`.\n"


def test_colors_are_told_apart_without_red_or_green() -> None:
    """Their distances in a dichromat's plane (Viénot, Brettel and Mollon 1999, protanopia)."""
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in plots.COLORS])
    linear = rgb**2.2
    seen = linear @ np.array([[0.11238, 0.11238, 0.00401], [0.88762, 0.88762, -0.00401], [0, 0, 1]])
    distances = [math.dist(a, b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(distances) > 0.03


# Pictures.


def test_images_are_the_pictures_in_their_places() -> None:
    ax = plots.images(PICTURES, titles=["a", "b", "c"], columns=2)
    assert len(ax.images) == 3
    for i in range(3):
        assert np.array_equal(image(ax, i), PICTURES[i].reshape(4, 4))
        left, right, bottom, top = ax.images[i].get_extent()
        assert math.floor(left) == i % 2 == math.floor(right)
        assert 0 < right - left < 1
        assert abs(right - left) == pytest.approx(abs(bottom - top))
        assert bottom > top  # the first row of pixels is above
        x, y = ax.texts[i].get_position()
        assert left < x < right
        assert y < top  # the title is above its picture
        assert ax.images[i].get_clim() == (0, 47)  # the largest of all
        assert ax.images[i].get_cmap().name == "gray"
    assert texts(ax) == ["a", "b", "c"]
    assert ax.get_ylim()[0] >= ax.images[2].get_extent()[2]  # the last row, which is not full, is within
    assert ax.get_xlim() == (0, 2)
    tops = [ax.images[i].get_extent()[3] for i in range(3)]
    assert tops[0] == tops[1] < tops[2]


def test_images_of_any_shape_keep_their_ratio() -> None:
    ax = plots.images([np.ones((2, 8)), np.ones((6, 3))])
    for i, ratio in enumerate((4, 0.5)):
        left, right, bottom, top = ax.images[i].get_extent()
        assert (right - left) / (bottom - top) == pytest.approx(ratio)
    assert ax.images[0].get_clim() == (0, 1)


def test_pictures_with_negative_numbers_are_on_one_scale_around_white() -> None:
    ax = plots.images(np.array([[[-3.0, 0.0]], [[1.0, 2.0]]]), label="weight")
    assert ax.figure.axes[1].get_ylabel() == "weight"
    assert {shown.get_clim() for shown in ax.images} == {(-3, 3)}
    shown: Any = ax.images[0]
    white, blue, red = (shown.cmap(shown.norm(value))[:3] for value in (0.0, -3.0, 3.0))
    assert min(white) > 0.96
    assert blue[2] > 2 * blue[0]
    assert red[0] > 2 * red[2]
    assert len(ax.figure.axes) == 2  # the scale beside them


def test_predictions_say_true_predicted_and_how_sure() -> None:
    ax = plots.predictions(PICTURES, [0, 0, 1], OUTPUTS)
    assert texts(ax) == ["0 → 0  90.0 %", "0 → 1  75.0 %", "1 → 0  50.3 %"]
    assert [text.get_fontweight() for text in ax.texts] == ["normal", "bold", "bold"]
    again = plots.predictions([np.ones((2, 3)), np.ones((3, 3)), np.ones((3, 2))], [0, 1, 1], OUTPUTS, ax)
    assert [text.get_fontweight() for text in again.texts[3:]] == ["normal", "normal", "bold"]


def test_a_title_is_no_formula() -> None:
    ax = plots.images(PICTURES, titles=["$\\foo$", "a", "b"])
    assert ink(ax) > 0


def test_pictures_of_other_numbers_are_on_one_scale() -> None:
    for kind in (np.int64, np.float32, np.longdouble, np.float16):
        assert plots.images(PICTURES.astype(kind)).images[0].get_clim() == (0, 47)
    assert plots.images(PICTURES > 3).images[0].get_clim() == (0, 1)
    assert LOOSE.images([1e-20 * np.ones((2, 2)), np.zeros((2, 2), np.uint8)]).images[0].get_clim() == (0, 1e-20)
    assert plots.images(np.zeros((1, 4))).images[0].get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: LOOSE.images([]), ValueError, "images: `pictures` must have shape"),
        (lambda: LOOSE.images(np.zeros((2, 7))), ValueError,
         "images: `pictures` must have shape (n, height, width), or (n, pixels) of squares, got (2, 7). "
         "Give `pictures.reshape(-1, height, width)`."),
        (lambda: LOOSE.images(np.zeros((0, 4))), ValueError, "images: `pictures` must be at least one, with pixels"),
        (lambda: LOOSE.images(np.zeros(4)), ValueError, "images: `pictures` must have shape"),
        (lambda: LOOSE.images(np.zeros((2, 3, 4, 5))), ValueError, "images: `pictures` must have shape"),
        (lambda: LOOSE.images(PICTURES, titles=["a"]), ValueError, "images: `titles` must be 3 texts, got 1."),
        (lambda: LOOSE.images(PICTURES, titles=3), TypeError, "images: `titles` must be a list of 3 texts, got 3."),
        (lambda: LOOSE.images(PICTURES, titles="abc"), TypeError, "images: `titles` must be a list of 3 texts, got"),
        (lambda: LOOSE.images(PICTURES, columns=0), ValueError, "images: `columns` must be an integer of at least 1"),
        (lambda: LOOSE.images(PICTURES * np.nan), ValueError, "images: `pictures[0]` must be finite"),
        (lambda: LOOSE.images([[["a"]]]), TypeError, "images: `pictures[0]` must be an array of real numbers"),
        (lambda: LOOSE.predictions(PICTURES, [0], OUTPUTS), ValueError,
         "predictions: `y` must be of the 3 rows of `outputs`, got (1,)."),
        (lambda: LOOSE.predictions(PICTURES[:2], [0, 0, 1], OUTPUTS), ValueError,
         "predictions: `x` must be of the 3 rows of `outputs`, got (2,)."),
        (lambda: LOOSE.heat_map([1.0]), ValueError, "heat_map: `values` must have shape (n, columns), got (1,)."),
        (lambda: LOOSE.heat_map([[math.inf]]), ValueError, "heat_map: `values` must be finite"),
        (lambda: LOOSE.heat_map([[1.0]], rows=["a", "b"]), ValueError, "heat_map: `rows` must be 1 texts, got 2."),
        (lambda: LOOSE.history(a_run(), "los"), ValueError, "history: `quantity` must be one of 'loss', 'accuracy',"),
        (lambda: LOOSE.history(a_run(), "r2"), ValueError, "history: `quantity` must be one that the run has"),
        (lambda: LOOSE.history(fnn.start(fnn.mlp(2, 2))), ValueError, "history: `quantity` must be one that the run"),
        (lambda: LOOSE.compare({"a": a_run()}, "val_r2"), ValueError,
         "compare: `quantity` must be one that each of the runs has, got 'val_r2', which 'a' has not."),
        (lambda: LOOSE.compare({}), ValueError,
         'compare: `runs` must be names and at least one, got {}. As in `compare({"name": …})`.'),
        (lambda: LOOSE.compare([a_run()]), TypeError, "compare: `runs` must be names and at least one, got [Train"),
        (lambda: LOOSE.compare({"a": None}), TypeError, "compare: `runs['a']` must be a TrainState, got None."),
        (lambda: LOOSE.history(None), TypeError, "history: `run` must be a TrainState, got None."),
        (lambda: LOOSE.gradient_norms(a_trace()), TypeError, "gradient_norms: `traces` must be names and at least one"),
        (lambda: LOOSE.gradient_norms({"a": a_run()}), TypeError,
         "gradient_norms: `traces['a']` must be a Trace, got a TrainState. Make one with `fnn.trace("),
        (lambda: LOOSE.gradient_norms({"a": NOTHING}), ValueError,
         "gradient_norms: `traces['a']` must have a dense layer whose gradient is not 0, got none."),
        (lambda: LOOSE.class_counts([0, 1]), TypeError,
         "class_counts: `counts` must be a ClassCounts, got a list. Make one with `fnn.class_counts(train=y)`."),
        (lambda: LOOSE.confusion_matrix([0]), TypeError, "confusion_matrix: `matrix` must be a ConfusionMatrix, got"),
        (lambda: LOOSE.per_class_accuracy([0]), TypeError, "per_class_accuracy: `matrix` must be a ConfusionMatrix, g"),
        (lambda: LOOSE.calibration([0]), TypeError, "calibration: `table` must be a Calibration, got a list."),
        (lambda: LOOSE.decision_boundary(XOR), TypeError, "decision_boundary: `boundary` must be a DecisionBoundary, "),
        (lambda: LOOSE.activation("relu"), TypeError,
         "activation: `activation` must be an activation, got 'relu'. As in `fnn.Relu()`."),
        (lambda: LOOSE.activation(fnn.Relu), TypeError, "activation: `activation` must be an activation, got <class"),
        (lambda: LOOSE.schedule(0.1, 3), TypeError,
         "schedule: `schedule` must be a schedule, got 0.1. A constant is `fnn.Constant(0.1)`."),
        (lambda: LOOSE.predictions(PICTURES, [1, 0, 1], [[0.9], [0.2], [0.6]]), ValueError,
         "predictions: `outputs` must have a column for each class, got (3, 1). Of a network with one output these "
         "are `fnn.predict_proba(network, params, x)`."),
        (lambda: LOOSE.predictions(PICTURES, [0, 0, 1], 5 * OUTPUTS), ValueError,
         "predictions: `outputs` must be in [0, 1], got a least of 0.5, a most of 4.5."),
        (lambda: LOOSE.predictions(PICTURES, [0, 0, 2], OUTPUTS), ValueError,
         "predictions: `y` must be labels from 0 to 1, got 2 in row 2."),
        (lambda: LOOSE.heat_map(csr_array(np.eye(3))), TypeError, "heat_map: `values` must be an array of real number"),
        (lambda: LOOSE.gradient_norms({}), ValueError, "gradient_norms: `traces` must be names and at least one, got"),
        (lambda: LOOSE.schedule(fnn.Constant(1.0), 0), ValueError, "schedule: `steps` must be an integer of at least"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).startswith(message)
    assert pyplot.get_fignums() == []  # no figure is left behind
