"""That a figure of a record shows the record's numbers."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer

import fnn
from fnn import plots
from tests.test_plots import (
    AREAS,
    AREAS_PARAMS,
    CALIBRATION,
    COUNTS,
    LINE,
    LINE_PARAMS,
    MATRIX,
    RECORDS,
    THREE,
    XOR,
    _closed,
    a_run,
    a_trace,
    image,
    labels,
    points,
    texts,
)

__all__ = ["_closed"]  # a fixture of these tests too


def bars(ax: Axes) -> list[list[float]]:
    return [[bar.get_height() for bar in part] for part in ax.containers if isinstance(part, BarContainer)]


def test_class_counts_are_the_heights_of_bars() -> None:
    ax = plots.class_counts(COUNTS)
    assert bars(ax) == [[1, 2, 1], [0, 0, 2]]
    widths = [bar.get_width() for part in ax.containers for bar in part]
    assert 0 < max(widths) <= 0.4  # beside each other
    first, second = ([bar.get_x() + bar.get_width() / 2 for bar in part] for part in ax.containers)
    assert all(-0.5 < a - i < 0 < b - i < 0.5 for i, (a, b) in enumerate(zip(first, second, strict=True)))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1", "5"]
    assert labels(ax) == ["train (4)", "test (2)"]
    single = plots.class_counts(fnn.class_counts(all=[0] * 1200 + [1]))
    assert texts(single) == ["1,200", "1"]


def test_history_is_the_runs_numbers() -> None:
    ax = plots.history(a_run(), "loss")
    training, validation, best = ax.lines
    assert points(training) == [(r.epoch, r.loss) for r in RECORDS]
    assert points(validation) == [(r.epoch, r.val_loss) for r in RECORDS]
    assert [x for x, _ in points(best)] == [2, 2]
    assert labels(ax) == ["training", "validation", "best val_loss: epoch 2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    assert training.get_linestyle() != validation.get_linestyle()
    assert all(tick == int(tick) for tick in ax.get_xticks())
    accuracy = plots.history(a_run(), "accuracy")
    assert [y for _, y in points(accuracy.lines[0])] == [record.accuracy for record in RECORDS]


def test_history_without_validation_has_one_line() -> None:
    alone = attrs.evolve(a_run(), history=(fnn.EpochRecord(1, 2.0),))
    ax = plots.history(alone)
    assert labels(ax) == ["training"]
    assert len(ax.lines) == 1


def test_history_of_an_lbfgs_run() -> None:
    run = fnn.fit_lbfgs(fnn.mlp(2, 2), fnn.Dataset([[0.0, 1.0], [1.0, 0.0]], [0, 1]), iterations=4)
    assert [y for _, y in points(plots.history(run).lines[0])] == [record.loss for record in run.history]


def test_compare_has_a_line_for_each_run_told_apart_by_more_than_color() -> None:
    runs = {name: a_run() for name in "abcdef"}
    ax = plots.compare(runs, "val_accuracy")
    assert labels(ax) == list(runs)
    assert ax.get_ylabel() == "validation accuracy"
    assert [y for _, y in points(ax.lines[3])] == [record.val_accuracy for record in RECORDS]
    assert len({(line.get_linestyle(), line.get_marker()) for line in ax.lines}) == 6
    assert len({line.get_color() for line in ax.lines}) == 6


def test_a_confusion_matrix_has_its_counts_in_it() -> None:
    ax = plots.confusion_matrix(MATRIX)
    assert texts(ax) == ["2", "1", "0", "0", "2", "0", "1", "0", "0"]
    assert [text.get_position() for text in ax.texts[:4]] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    np.testing.assert_allclose(image(ax), np.array([[2 / 3, 1 / 3, 0], [0, 1, 0], [1, 0, 0]]))
    for ticks in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [text.get_text() for text in ticks] == ["0", "1", "3"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    shown: Any = ax.images[0]
    assert shown.norm(0.25) == 0.5  # square roots, so that a few percent are seen
    assert min(shown.cmap(0.0)[:3]) > 0.9 > 0.5 > shown.cmap(1.0)[0]
    assert [text.get_color() for text in ax.texts[:2]] == ["white", "black"]


def test_per_class_accuracy_has_its_values_on_the_bars() -> None:
    ax = plots.per_class_accuracy(MATRIX)
    np.testing.assert_allclose(bars(ax)[0], [2 / 3, 1, 0])
    assert texts(ax) == ["0.667", "1.000", "0.000"]
    assert ax.get_ylim()[0] == 0
    absent = plots.per_class_accuracy(fnn.confusion_matrix([0], [1]))
    assert texts(absent) == ["0.000", "-"]


def test_calibration_is_accuracy_against_confidence() -> None:
    ax = plots.calibration(CALIBRATION)
    assert points(ax.lines[1]) == list(zip(CALIBRATION.confidence, CALIBRATION.accuracy, strict=True))
    assert points(ax.lines[0]) == [(0, 0), (1, 1)]
    assert texts(ax) == ["3", "1"]
    empty = fnn.calibration([0, 1], [0.1, 0.95], bins=10)
    assert len(points(plots.calibration(empty).lines[1])) == 2


def test_a_schedule_is_drawn_step_by_step() -> None:
    cosine = fnn.Cosine(1e-3, steps=10)
    ax = plots.schedule(cosine, 12)
    (line,) = ax.lines
    assert ax.get_ylim()[0] == 0
    assert points(line) == [(step, cosine(step)) for step in range(12)]


@pytest.mark.parametrize(
    ("activation", "at", "value", "slope"),
    [(fnn.Relu(), 2.0, 2.0, 1.0), (fnn.Sigmoid(), 0.0, 0.5, 0.25), (fnn.Softmax(), 0.0, 1 / 3, 2 / 9)],
)
def test_an_activation_and_its_derivative(activation: Any, at: float, value: float, slope: float) -> None:
    ax = plots.activation(activation)
    _, a, da = ax.lines
    values, slopes = dict(points(a)), dict(points(da))
    assert (min(values), max(values)) == (-5, 5)
    place = min(values, key=lambda z: abs(z - at))
    assert values[place] == pytest.approx(value, abs=1e-9)
    assert slopes[place] == pytest.approx(slope, abs=1e-9)
    assert ax.get_title() == type(activation).__name__
    assert labels(ax) == ["a", "da/dz"]


def test_a_boundary_is_where_yes_is_as_likely_as_no() -> None:
    ax = plots.decision_boundary(fnn.decision_boundary(LINE, LINE_PARAMS, XOR))
    heights, contour, *rows = ax.collections
    vertices = np.concatenate([np.asarray(path.vertices) for path in contour.get_paths()])
    np.testing.assert_allclose(vertices[:, 0], 0.5, atol=1e-6)
    values = np.asarray(heights.get_array()).reshape(201, 201)
    assert values[0, 0] < 0.1 < 0.9 < values[0, -1]
    shown: Any = heights
    no, yes = (shown.cmap(shown.norm(value))[:3] for value in (0.0, 1.0))
    assert no[0] > no[2]  # orange
    assert yes[2] > yes[1]  # purple
    assert [np.asarray(each.get_offsets()).tolist() for each in rows] == [[[0, 0], [1, 1]], [[0, 1], [1, 0]]]
    assert labels(ax) == ["0", "1"]


def test_areas_of_classes_and_the_rows_in_them() -> None:
    ax = plots.decision_boundary(fnn.decision_boundary(AREAS, AREAS_PARAMS, THREE))
    areas, *rows = ax.collections
    shown: Any = areas
    drawn = np.asarray(areas.get_array()).reshape(201, 201)
    assert (drawn[0, 0], drawn[0, -1], drawn[-1, 0]) == (0, 1, 2)  # x₁ by x₀
    assert [to_hex(shown.cmap(shown.norm(c))) for c in range(3)] == [color.lower() for color in plots.COLORS[:3]]
    assert len({len(np.asarray(each.get_paths()[0].vertices)) for each in rows}) == 3  # a mark for each
    assert [np.asarray(each.get_offsets()).tolist() for each in rows] == [[[0, 0]], [[1, 0]], [[0, 1]]]
    assert labels(ax) == ["0", "1", "2"]
    assert shown.get_clim() == (-0.5, 2.5)


def test_gradient_norms_are_those_of_the_dense_layers() -> None:
    trace = a_trace()
    ax = plots.gradient_norms({"tanh": trace})
    norms = [math.sqrt((trace.layers[i].dW ** 2).sum()) for i in (0, 2, 3)]
    assert [x for x, _ in points(ax.lines[0])] == [1, 2, 3]
    assert [y for _, y in points(ax.lines[0])] == pytest.approx(norms)
    assert ax.get_yscale() == "log"
    assert labels(ax) == ["tanh"]


def test_a_heat_map_is_its_numbers() -> None:
    ax = plots.heat_map([[0.0, 2.0], [1.0, 0.5]], rows=["a", "b"], label="activation")
    assert ax.figure.axes[1].get_ylabel() == "activation"
    assert image(ax).tolist() == [[0, 2], [1, 0.5]]
    assert ax.images[0].get_clim() == (0, 2)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    signed: Any = plots.heat_map([[-4.0, 2.0]])
    assert signed.images[0].cmap(0.0)[2] > signed.images[0].cmap(0.0)[0]  # the least is blue
    assert signed.images[0].get_clim() == (-4, 4)
    assert plots.heat_map(np.zeros((1, 1))).images[0].get_clim()[1] > 0


def test_lines_have_marks_while_they_are_few_and_names_of_what_they_are() -> None:
    assert plots.history(a_run()).lines[0].get_marker() == "o"
    many = attrs.evolve(a_run(), history=tuple(fnn.EpochRecord(i + 1, 1.0) for i in range(16)))
    assert plots.history(many).lines[0].get_marker() in ("", "None")
    assert plots.compare({"a": a_run()}, "loss").get_ylabel() == "training loss"
    assert len(labels(plots.compare({str(i): a_run() for i in range(30)}))) == 30
    assert len(labels(plots.class_counts(fnn.class_counts(**{f"p{i}": [0, 1] for i in range(9)})))) == 9


def test_an_activation_that_is_infinite_somewhere_is_drawn() -> None:
    @attrs.frozen
    class Log:
        def value(self, z: Any) -> Any:
            return np.log(np.abs(z))

        def vjp(self, z: Any, a: Any, da: Any) -> Any:
            return da / z

    assert plots.activation(Log()).get_title() == "Log"
