"""scikit-learn's perceptrons and ours on ten data sets: `python -m tests.benchmarks.estimators --help`.

Scores by five times five-fold cross-validation with default arguments, both on the same splits; then the time of a
training of 100 epochs on all rows, in turns in the same process.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import sklearn
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fnn.estimators
from tests.benchmarks import report

EPOCHS = 100


class Problem(NamedTuple):
    """A data set, and the estimators for it: theirs and ours."""

    name: str
    load: Callable[[], Any]
    kinds: tuple[Any, Any]


CLASSIFIERS = MLPClassifier, fnn.estimators.MLPClassifier
REGRESSORS = MLPRegressor, fnn.estimators.MLPRegressor
PROBLEMS = [
    Problem("iris", lambda: datasets.load_iris(return_X_y=True), CLASSIFIERS),
    Problem("wine", lambda: datasets.load_wine(return_X_y=True), CLASSIFIERS),
    Problem("breast cancer", lambda: datasets.load_breast_cancer(return_X_y=True), CLASSIFIERS),
    Problem("digits", lambda: datasets.load_digits(return_X_y=True), CLASSIFIERS),
    Problem(
        "made, 4 classes",
        lambda: datasets.make_classification(1000, 20, n_informative=8, n_classes=4, random_state=0),
        CLASSIFIERS,
    ),
    Problem("moons", lambda: datasets.make_moons(1000, noise=0.3, random_state=0), CLASSIFIERS),
    Problem("made, 5 labels", lambda: datasets.make_multilabel_classification(1000, random_state=0), CLASSIFIERS),
    Problem("diabetes", lambda: datasets.load_diabetes(return_X_y=True), REGRESSORS),
    Problem("linnerud, 3 outputs", lambda: datasets.load_linnerud(return_X_y=True), REGRESSORS),
    Problem("friedman1", lambda: datasets.make_friedman1(1000, noise=1.0, random_state=0), REGRESSORS),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Scores and times of ours beside scikit-learn's, on ten data sets.")
    parser.add_argument("--sets", nargs="+", choices=[problem.name for problem in PROBLEMS], metavar="NAME")
    parser.add_argument("--repeats", type=int, default=5, help="of five-fold cross-validation")
    parser.add_argument("--rounds", type=int, default=9, help="of timing")
    parser.add_argument("--write", action="store_true", help="write the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    problems = [problem for problem in PROBLEMS if not options.sets or problem.name in options.sets]
    given = {problem.name: standardized(problem) for problem in problems}
    scores = {problem.name: cross_validated(problem, *given[problem.name], options.repeats) for problem in problems}
    times = {
        kernels: {problem.name: timed(problem, *given[problem.name], options.rounds, kernels) for problem in problems}
        for kernels in ("numba", "numpy")
    }
    text = f"{table(given, scores, times)}\n\n{verdict(scores, times)}"
    print(text)
    if options.write:
        text += f"\n\nscikit-learn {sklearn.__version__}."
        report.write("estimators", f"{text}\n\n{report.conditions('tests.benchmarks.estimators', options)}")


def standardized(problem: Problem) -> tuple[Any, Any]:
    """X as it comes, and y, where it is numbers, of mean 0 and variance 1."""
    x, y = problem.load()
    return x, StandardScaler().fit_transform(y.reshape(len(y), -1)).squeeze() if problem.kinds is REGRESSORS else y


def cross_validated(problem: Problem, x: Any, y: Any, repeats: int) -> tuple[list[float], list[float]]:
    """The score on each held-out part, of theirs and of ours."""
    stratified = problem.kinds is CLASSIFIERS and y.ndim == 1
    splits = (RepeatedStratifiedKFold if stratified else RepeatedKFold)(n_splits=5, n_repeats=repeats, random_state=0)
    found: tuple[list[float], list[float]] = ([], [])
    for number, (rest, part) in enumerate(splits.split(x, y)):
        for scores, kind in zip(found, problem.kinds, strict=True):
            model = make_pipeline(StandardScaler(), kind(random_state=number)).fit(x[rest], y[rest])
            scores.append(model.score(x[part], y[part]))
    return found


def timed(problem: Problem, x: Any, y: Any, rounds: int, kernels: str) -> tuple[list[float], list[float]]:
    """The microseconds an epoch, of theirs and of ours with those kernels, round by round after one to warm up."""
    os.environ["FNN_KERNELS"] = kernels
    x = StandardScaler().fit_transform(x)
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for times, kind in zip(found, problem.kinds, strict=True):
            model = kind(random_state=0, max_iter=EPOCHS, tol=0, n_iter_no_change=np.inf)
            begun = time.perf_counter()
            model.fit(x, y)
            times.append((time.perf_counter() - begun) / EPOCHS * 1e6)
            assert model.n_iter_ == EPOCHS
    return found[0][1:], found[1][1:]


def error(scores: list[float]) -> float:
    """The standard error of their mean."""
    return statistics.stdev(scores) / math.sqrt(len(scores))


def ratios(times: dict[str, tuple[list[float], list[float]]]) -> str:
    """The time of all sets, ours over theirs, round by round."""
    theirs, ours = ([sum(each) for each in zip(*(pair[i] for pair in times.values()), strict=True)] for i in (0, 1))
    return report.spanned([b / a for a, b in zip(theirs, ours, strict=True)])


def table(given: Any, scores: Any, times: Any) -> str:
    rows = []
    for name, (x, _) in given.items():
        theirs, ours = scores[name]
        medians = [statistics.median(each) for each in (*times["numba"][name], *times["numpy"][name])]
        apart = [b - a for a, b in zip(theirs, ours, strict=True)]
        of_scores = [f"{statistics.mean(each):.4f} (± {error(each):.4f})" for each in (theirs, ours, apart)]
        of_times = [f"{medians[i]:.0f}" for i in (0, 1, 3)]
        of_times += [f"{medians[1] / medians[0]:.2f}", f"{medians[3] / medians[2]:.2f}"]
        rows.append([name, f"{x.shape[0]} × {x.shape[1]}", *of_scores, *of_times])
    head = ["data set", "rows × columns", "score: scikit-learn's (± standard error)", "ours", "difference"]
    head += ["µs an epoch: scikit-learn's", "ours", "ours, NumPy alone", "ours over theirs", "NumPy alone over theirs"]
    return report.table(head, rows)


def verdict(scores: Any, times: Any) -> str:
    behind = [
        name
        for name, (theirs, ours) in scores.items()
        if statistics.mean(ours) < statistics.mean(theirs) - error(theirs)
    ]
    ratio, alone = (ratios(times[kernels]) for kernels in ("numba", "numpy"))
    return (
        f"Below scikit-learn's by more than its standard error: {', '.join(behind) or 'none'}. "
        f"The time of all, ours over theirs, round by round: {ratio}; with NumPy alone {alone}."
    )


if __name__ == "__main__":
    main()
