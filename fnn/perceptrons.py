"""What the estimators share: scikit-learn's arguments, attributes and checks around the fold of `fnn.estimating`."""

from __future__ import annotations

import math
import numbers
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Self

import attrs
import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from fnn import arguments, checks, estimating, settings
from fnn.arguments import Head, by
from fnn.arrays import Array, Floats, Rows
from fnn.dataset import Dataset, batch_count
from fnn.descent import Optimizer
from fnn.divergence import RUN, TrainingDiverged
from fnn.estimating import Progress
from fnn.fitted import Fitted
from fnn.fitting import Bar
from fnn.layers import Layer
from fnn.lbfgs import check_smooth, minimized
from fnn.network import Network, init_params
from fnn.passes import check_parts, outputs_of
from fnn.runs import TrainState, start
from fnn.splits import split
from fnn.training import fold

Solver = Literal["lbfgs", "sgd", "adam"]
RateSchedule = Literal["constant", "invscaling", "adaptive"]


class FitDiverged(TrainingDiverged, ValueError):  # noqa: N818  # as what it is made of
    """A training of an estimator that diverged: scikit-learn's ValueError, with the run and all that fnn says of it."""


by_epochs = available_if(lambda estimator: not arguments.uses(estimator, "lbfgs"))


@attrs.define(slots=False, eq=False, repr=False, kw_only=True)
class Perceptron(Fitted, ABC):
    """What both estimators are: their arguments, which are looked at by `fit`, and their training."""

    solver: Solver = attrs.field(default="adam", metadata=by(arguments.solver))
    alpha: float = attrs.field(default=0.0001, metadata=by(settings.at_least_0))
    batch_size: int | Literal["auto"] = attrs.field(default="auto", metadata=by(arguments.batch_size))
    learning_rate: RateSchedule = attrs.field(default="constant", metadata=by(arguments.schedule))
    learning_rate_init: float = attrs.field(default=0.001, metadata=by(settings.above_0))
    power_t: float = attrs.field(default=0.5, metadata=by(settings.at_least_0))
    max_iter: int = attrs.field(default=200, metadata=by(settings.integer(1)))
    shuffle: bool = attrs.field(default=True, metadata=by(settings.boolean))
    random_state: int | np.random.RandomState | None = attrs.field(default=None, metadata=by(arguments.a_seed))
    tol: float = attrs.field(default=1e-4, metadata=by(settings.at_least_0))
    verbose: bool | int = attrs.field(default=False, metadata=by(arguments.verbosity))
    warm_start: bool = attrs.field(default=False, metadata=by(settings.boolean))
    momentum: float = attrs.field(default=0.9, metadata=by(settings.from_0_to_1))
    nesterovs_momentum: bool = attrs.field(default=True, metadata=by(settings.boolean))
    early_stopping: bool = attrs.field(default=False, metadata=by(settings.boolean))
    validation_fraction: float = attrs.field(default=0.1, metadata=by(settings.from_0_below_1))
    beta_1: float = attrs.field(default=0.9, metadata=by(settings.from_0_below_1))
    beta_2: float = attrs.field(default=0.999, metadata=by(settings.from_0_below_1))
    epsilon: float = attrs.field(default=1e-8, metadata=by(settings.above_0))
    n_iter_no_change: int | float = attrs.field(default=10, metadata=by(arguments.patience))
    max_fun: int = attrs.field(default=15000, metadata=by(settings.integer(1)))
    network: Network | Sequence[Layer] | None = attrs.field(default=None, metadata=by(arguments.a_network))
    optimizer: Optimizer | None = attrs.field(default=None, metadata=by(arguments.an_optimizer))
    validation: tuple[Rows, ArrayLike] | None = attrs.field(default=None, metadata=by(arguments.a_pair))
    progress: bool = attrs.field(default=False, metadata=by(settings.boolean))
    on_epoch: Callable[[TrainState], object] | None = attrs.field(default=None, metadata=by(arguments.a_function))

    _of_numbers: ClassVar[bool]  # whether y holds numbers to come near to

    # What the two do each in its own way.

    def _learned(self, where: str, y: Array, classes: ArrayLike | None) -> Any:
        """What targets there can be; any numbers."""

    def _targets(self, where: str, y: Array, known: Any, *, again: bool) -> Array:
        """The targets as a network takes them; `again` where they must be all that are known."""
        return y

    def _weights(self, where: str, targets: Array, known: Any, w: Array | None) -> Array | None:
        """The weights of the rows."""
        return w

    @abstractmethod
    def _head(self, where: str, targets: Array, known: Any, given: Any) -> Head:
        """What the network for these targets ends with."""

    @abstractmethod
    def _worth(self, outputs: Floats, held: Dataset) -> float:
        """The score of outputs for held-out rows."""

    # Training.

    def fit(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train: anew, or with `warm_start` on from where the last fit ended, optimizer and shuffles too.

        Args:
            X: shape (n, features): an array, a data frame, or scipy's sparse rows or columns. float32 stays float32,
                all else becomes float64.
            y: n targets, or shape (n, outputs).
            sample_weight: n weights, at least 0, or one for all; None is 1 each.

        Raises:
            TypeError, ValueError: for arguments that do not fit; for a training that diverges.
        """
        return self._fit("fit", X, y, sample_weight)

    @by_epochs  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one more epoch, on these rows: n times on the same rows are a fit of n epochs, bit for bit.

        Args:
            X: as in `fit`.
            y: as in `fit`.
            sample_weight: as in `fit`.

        Raises:
            TypeError, ValueError: as `fit`; for `early_stopping`, which one epoch cannot.
        """
        return self._fit("partial_fit", X, y, sample_weight)

    def _fit(
        self, function: str, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None, classes: ArrayLike | None = None
    ) -> Self:
        given, whole, where = arguments.check(self), function == "fit", f"{type(self).__name__}.{function}"
        if given.early_stopping and not whole:
            raise checks.problem(ValueError, where, "early_stopping", "must be False", "True", "One epoch has no end.")
        goes_on = hasattr(self, "run_") and (given.warm_start or not whole)
        x, labels = self._read(X, y, reset=not goes_on)
        known = self._known if goes_on else self._learned(where, labels, classes)
        targets = self._targets(where, labels, known, again=goes_on and whole)
        data = Dataset(x, targets, self._weights(where, targets, known, _weights(where, sample_weight, x)))
        if isinstance(given.network, Network):
            self._check_answers(where, given.network)
        network = arguments.network_of(given, x.shape[1], self._head(where, targets, known, given))
        progress = self._begun(where, given, network, x.dtype, goes_on=goes_on)
        if arguments.uses(given, "lbfgs"):
            check_parts(where, network, progress.run.params.dtype, data, None)
            return self._minimize(where, given, progress.run, data, known)
        held = None
        if given.validation is not None:
            held = self._validation(where, given.validation, known)
        elif given.early_stopping:
            data, held = self._split(where, given.validation_fraction, data, progress.run.recipe.seed)
        check_parts(where, network, progress.run.params.dtype, data, held)
        progress = estimating.batched(where, progress, given, data)
        progress, n_iter = self._descend(where, given, progress, data, held, given.max_iter if whole else None)
        return self._fitted(progress, n_iter, known)

    def _read(self, X: Rows, y: ArrayLike, *, reset: bool) -> tuple[Any, Array]:
        """X and y as arrays, checked as scikit-learn checks them."""
        kinds: Any = {"accept_sparse": ("csr", "csc"), "dtype": (np.float64, np.float32), "order": "C"}
        x, read = validate_data(self, X, y, **kinds, multi_output=True, y_numeric=self._of_numbers, reset=reset)
        labels: Any = read if isinstance(read, np.ndarray) else read.toarray()
        return x, column_or_1d(labels, warn=True) if labels.ndim == 2 and labels.shape[1] == 1 else labels

    def _validation(self, where: str, given: tuple[Rows, ArrayLike], known: Any) -> Dataset:
        """The validation data that are given."""
        try:
            x, labels = self._read(*given, reset=False)
            return Dataset(x, self._targets(where, labels, known, again=False))
        except (TypeError, ValueError) as error:
            rule = "must be (X, y) of the kind that is trained on, as it comes out of a pipeline's other steps"
            raise checks.problem(ValueError, where, "validation", rule, "others", str(error)) from error

    def _split(self, where: str, fraction: float, data: Dataset, seed: int) -> tuple[Dataset, Dataset]:
        """The rows to train on, and those that are held out."""
        n_held, labels = math.ceil(fraction * len(data)), not self._of_numbers and data.y.ndim == 1
        if not 2 <= n_held < len(data):
            rule, fix = "must hold out at least 2 rows, and not all", "Those of one's own are `validation=(X, y)`."
            raise checks.problem(ValueError, where, "validation_fraction", rule, f"{n_held} of {len(data)}", fix)
        try:
            return split(data, fraction, seed, stratify=labels)
        except ValueError:  # there are too few rows of a class
            return split(data, fraction, seed, stratify=False)

    def _begun(self, where: str, given: Any, network: Network, dtype: np.dtype[Any], *, goes_on: bool) -> Progress:
        """Where the training begins: anew, or where it ended."""
        if goes_on:
            if network.layout != self.params_.layout:
                rule, fix = f"must be of {self.network_.widths}, as before", "A fit without `warm_start` begins anew."
                raise checks.problem(ValueError, where, "network", rule, str(network.widths), fix)
            return estimating.going_on(self._progress, given, network)
        seed = int(check_random_state(given.random_state).randint(2**31 - 1))
        params = init_params(network, seed, dtype)
        return Progress(start(network, optimizer=arguments.optimizer_of(given), seed=seed, params=params))

    def _descend(
        self, where: str, given: Any, progress: Progress, data: Dataset, held: Dataset | None, most: int | None
    ) -> tuple[Progress, int]:
        """Epochs until nothing gets better, but so many at most; None: one, which settles nothing; and their number."""
        run, first, goal = progress.run, progress.run.epoch, progress.run.epoch + (most or 1)
        steps = fold(run, data, held, "while", most or 1)
        bar = Bar(run, goal, batch_count(data, run.recipe.batch_size)) if given.progress else None
        seen: Any = held and held.take()[0]
        sent = None
        try:
            while run.epoch < goal and not progress.stopped:
                run, sent = steps.send(sent), None
                if bar:
                    bar.show(run)
                if run.batch == 0:
                    score: Any = held and self._worth(outputs_of(run.recipe.network, run.params, seen, where), held)
                    progress = estimating.after_epoch(progress, given, run, len(data), score)
                    run = sent = progress.run
                    estimating.report(given, progress, run.epoch - first)
        except KeyboardInterrupt:
            message = f"{where}: interrupted in epoch {run.epoch - first + 1}; what there is so far is kept."
            warnings.warn(message, stacklevel=4)
            progress, most = attrs.evolve(progress, run=run), None
        except TrainingDiverged as error:
            found = str(error).partition(": ")[2].partition(". ")[0]  # of the step, without its advice
            message = f"{where}: {found}. Scale X, as StandardScaler does, or lower the learning rate. {RUN}"
            raise FitDiverged(message, *error.args[1:]) from error
        finally:
            if bar:
                bar.close()
        if most and not progress.stopped:
            message = f"{where}: `max_iter`, {most}, was reached before the loss or score stood still."
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        return progress, run.epoch - first

    def _minimize(self, where: str, given: Any, run: TrainState, data: Dataset, known: Any) -> Self:
        """L-BFGS on the one vector."""
        check_smooth(where, network := run.recipe.network)
        limits = {"maxiter": given.max_iter, "maxfun": given.max_fun, "gtol": given.tol}
        params, found = minimized(where, network, run.params, data, limits)
        if given.verbose:
            print(f"L-BFGS: {found.nit} iterations, loss {found.fun:.8f}")
        if found.status:
            message = f"{where}: L-BFGS stopped after {found.nit} iterations and {found.nfev} calls: {found.message}"
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        run = start(network, seed=run.recipe.seed, params=params)
        return self._fitted(Progress(run), min(found.nit, given.max_iter), known, float(found.fun))


def _weights(where: str, sample_weight: ArrayLike | None, x: Any) -> Array | None:
    """The weights that were given, one for each row."""
    if sample_weight is None:
        return None
    w = np.full(x.shape[0], sample_weight) if isinstance(sample_weight, numbers.Real) else sample_weight
    array: Array = check_array(w, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if not array.any():
        raise checks.problem(ValueError, where, "sample_weight", "must be above 0 for some row", "zero for every row")
    return checks.weights(where, array, x.shape[0])
