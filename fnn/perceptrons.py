"""What the estimators share: scikit-learn's arguments, attributes and checks around the fold of `fnn.estimating`."""

from __future__ import annotations

import math
import numbers
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Literal, Self

import attrs
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from fnn import arguments, checks, estimating, estimatorfiles, settings
from fnn.arguments import Head, rule
from fnn.arrays import Array, Floats, Rows
from fnn.dataset import Dataset, batch_count
from fnn.descent import Optimizer
from fnn.divergence import TrainingDiverged
from fnn.estimating import Progress
from fnn.files import Path
from fnn.fitting import Bar
from fnn.layers import Layer
from fnn.network import Network, init_params
from fnn.params import Params
from fnn.passes import check_model, check_parts, outputs_of
from fnn.runs import TrainState, start
from fnn.splits import split
from fnn.training import fold

Solver = Literal["lbfgs", "sgd", "adam"]
RateSchedule = Literal["constant", "invscaling", "adaptive"]


def is_stochastic(estimator: Any) -> bool:
    """Whether an estimator can train for a single epoch."""
    if estimator.solver == "lbfgs" and estimator.optimizer is None:
        raise AttributeError(f"{type(estimator).__name__}: partial_fit wants solver 'sgd' or 'adam', got 'lbfgs'.")
    return True


@attrs.define(slots=False, eq=False, repr=False, kw_only=True)
class Perceptron(BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators are: their arguments, which are looked at by `fit`, and their training."""

    solver: Solver = attrs.field(default="adam", metadata=rule(arguments.one_of("lbfgs", "sgd", "adam")))
    alpha: float = attrs.field(default=0.0001, metadata=rule(settings.at_least_0))
    batch_size: int | Literal["auto"] = attrs.field(
        default="auto", metadata=rule(arguments.auto_or(settings.integer(1)))
    )
    learning_rate: RateSchedule = attrs.field(
        default="constant", metadata=rule(arguments.one_of("constant", "invscaling", "adaptive"))
    )
    learning_rate_init: float = attrs.field(default=0.001, metadata=rule(settings.above_0))
    power_t: float = attrs.field(default=0.5, metadata=rule(settings.at_least_0))
    max_iter: int = attrs.field(default=200, metadata=rule(settings.integer(1)))
    shuffle: bool = attrs.field(default=True, metadata=rule(settings.boolean))
    random_state: int | np.random.RandomState | None = attrs.field(default=None, metadata=rule(arguments.a_seed))
    tol: float = attrs.field(default=1e-4, metadata=rule(settings.at_least_0))
    verbose: bool | int = attrs.field(default=False, metadata=rule(arguments.loudness))
    warm_start: bool = attrs.field(default=False, metadata=rule(settings.boolean))
    momentum: float = attrs.field(default=0.9, metadata=rule(settings.from_0_to_1))
    nesterovs_momentum: bool = attrs.field(default=True, metadata=rule(settings.boolean))
    early_stopping: bool = attrs.field(default=False, metadata=rule(settings.boolean))
    validation_fraction: float = attrs.field(default=0.1, metadata=rule(settings.from_0_below_1))
    beta_1: float = attrs.field(default=0.9, metadata=rule(settings.from_0_below_1))
    beta_2: float = attrs.field(default=0.999, metadata=rule(settings.from_0_below_1))
    epsilon: float = attrs.field(default=1e-8, metadata=rule(settings.above_0))
    n_iter_no_change: int | float = attrs.field(default=10, metadata=rule(arguments.integer_or_inf))
    max_fun: int = attrs.field(default=15000, metadata=rule(settings.integer(1)))
    network: Network | Sequence[Layer] | None = attrs.field(default=None, metadata=rule(arguments.a_network))
    optimizer: Optimizer | None = attrs.field(default=None, metadata=rule(arguments.an_optimizer))
    validation: tuple[Rows, ArrayLike] | None = attrs.field(default=None, metadata=rule(arguments.a_pair))
    progress: bool = attrs.field(default=False, metadata=rule(settings.boolean))
    on_epoch: Callable[[TrainState], object] | None = attrs.field(default=None, metadata=rule(arguments.a_function))

    _of_numbers: ClassVar[bool]  # whether y holds numbers to come near to
    _never: ClassVar[str]  # what no network of its answers with

    # What the two do each in its own way.

    @abstractmethod
    def _learn(self, y: Array, classes: ArrayLike | None) -> None:
        """What the targets can be."""

    @abstractmethod
    def _targets(self, where: str, y: Array, *, again: bool) -> Array:
        """The targets as a network takes them; `again` where they must be all that were learned."""

    @abstractmethod
    def _head(self, where: str, targets: Array, given: Any) -> Head:
        """What the network for these targets ends with."""

    @abstractmethod
    def _weights(self, y: Array, w: Array | None) -> Array | None:
        """The weights of the rows."""

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

    @available_if(is_stochastic)  # type: ignore[untyped-decorator]
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
            fix = "One epoch cannot stop early."
            raise checks.problem(ValueError, where, "early_stopping", "must be False", "True", fix)
        goes_on = hasattr(self, "run_") and (given.warm_start or not whole)
        x, labels = self._read(X, y, reset=not goes_on)
        if not goes_on:
            self._learn(labels, classes)
        targets = self._targets(where, labels, again=goes_on and whole)
        data = Dataset(x, targets, self._weights(labels, _weights(where, sample_weight, x)))
        network = arguments.network_of(given, x.shape[1], self._head(where, targets, given))
        progress = self._begun(where, given, network, x.dtype, goes_on=goes_on)
        if given.solver == "lbfgs" and given.optimizer is None:
            check_parts(where, network, progress.run.params.dtype, data, None)
            return self._minimize(where, given, progress.run, data)
        held = None
        if given.validation is not None:
            x, labels = self._read(*given.validation, reset=False)
            held = Dataset(x, self._targets(where, labels, again=False))
        elif given.early_stopping:
            data, held = self._split(where, given.validation_fraction, data, progress.run.recipe.seed)
        check_parts(where, network, progress.run.params.dtype, data, held)
        progress = estimating.batched(where, progress, given, data)
        return self._descend(where, given, progress, data, held, given.max_iter if whole else None)

    def _read(self, X: Rows, y: ArrayLike, *, reset: bool) -> tuple[Any, Array]:
        """X and y as arrays, checked as scikit-learn checks them."""
        kinds: Any = {"accept_sparse": ("csr", "csc"), "dtype": (np.float64, np.float32), "order": "C"}
        x, read = validate_data(self, X, y, **kinds, multi_output=True, y_numeric=self._of_numbers, reset=reset)
        labels: Any = read if isinstance(read, np.ndarray) else read.toarray()
        return x, column_or_1d(labels, warn=True) if labels.ndim == 2 and labels.shape[1] == 1 else labels

    def _split(self, where: str, fraction: float, data: Dataset, seed: int) -> tuple[Dataset, Dataset]:
        """The rows to train on, and those that are held out."""
        held = None
        with suppress(ValueError):
            rest, held = split(data, fraction, seed, stratify=not self._of_numbers and data.y.ndim == 1)
        if held is None or len(held) < 2:
            rule = "must hold out at least 2 rows, and of each class some but not all"
            fix = "Rows of one's own are given by `validation=(X, y)`."
            raise checks.problem(ValueError, where, "validation_fraction", rule, f"{fraction} of {len(data)}", fix)
        return rest, held

    def _begun(self, where: str, given: Any, network: Network, dtype: np.dtype[Any], *, goes_on: bool) -> Progress:
        """Where the training begins: anew, or where it ended."""
        if goes_on:
            check_model(where, network, self.run_.params)
            return estimating.going_on(self._progress, given, network)
        seed = int(check_random_state(given.random_state).randint(2**31 - 1))
        params = init_params(network, seed, dtype)
        return Progress(start(network, optimizer=arguments.optimizer_of(given), seed=seed, params=params))

    def _descend(
        self, where: str, given: Any, progress: Progress, data: Dataset, held: Dataset | None, most: int | None
    ) -> Self:
        """Epochs until nothing gets better, but so many at most; None: one, which settles nothing."""
        run, first, goal = progress.run, progress.run.epoch, progress.run.epoch + (most or 1)
        steps = fold(run, data, held, "while", most or 1)
        bar = Bar(run, goal, batch_count(data, run.recipe.batch_size)) if given.progress else None
        sent = None
        try:
            while run.epoch < goal and not progress.stopped:
                run, sent = steps.send(sent), None
                if bar:
                    bar.show(run)
                if run.batch == 0:
                    score = None
                    if held is not None:
                        outputs = outputs_of(run.recipe.network, run.params, held.take()[0], where)
                        score = self._worth(outputs, held)
                    progress = estimating.after_epoch(progress, given, run, len(data), score)
                    run = sent = progress.run
                    estimating.report(given, run, run.epoch - first, score)
        except KeyboardInterrupt:
            message = f"{where}: interrupted in epoch {run.epoch - first + 1}; what there is so far is kept."
            warnings.warn(message, stacklevel=4)
            progress, most = attrs.evolve(progress, run=run), None
        except TrainingDiverged as error:
            fix = "Scale X, as StandardScaler does, or lower the learning rate."
            raise ValueError(f"{where}: the training diverged. {fix} {error}") from error
        finally:
            if bar:
                bar.close()
        if most and not progress.stopped:
            message = f"{where}: `max_iter`, {most}, was reached before the loss or score stood still."
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        return self._fitted(progress, run.epoch - first)

    def _minimize(self, where: str, given: Any, run: TrainState, data: Dataset) -> Self:
        """L-BFGS on the one vector."""
        run, found = estimating.minimized(where, given, run, data)
        if given.verbose:
            print(f"L-BFGS: {found.nit} iterations, loss {found.fun:.8f}")
        if found.status:
            message = f"{where}: L-BFGS stopped after {found.nit} iterations and {found.nfev} calls: {found.message}"
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        return self._fitted(Progress(run), min(found.nit, given.max_iter), float(found.fun))

    def _fitted(self, progress: Progress, n_iter: int, loss: float = math.nan) -> Self:
        """What scikit-learn calls the fitted attributes, of where the training is."""
        run, scores = progress.run, list(progress.scores)
        self._progress, self.run_ = progress, run
        self.params_ = run.best if progress.by_score else run.params
        self.t_, self.n_iter_, self.loss_ = progress.t, n_iter, loss
        self.n_layers_, self.n_outputs_ = 1 + len(run.recipe.network.dense), run.recipe.network.outputs
        output = type(run.recipe.network.layers[-1].activation).__name__.lower()
        self.out_activation_ = "logistic" if output == "sigmoid" else output
        for name in ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
            self.__dict__.pop(name, None)
        if run.history:
            self.loss_curve_ = [estimating.loss_of(record) for record in run.history]
            self.loss_ = self.loss_curve_[-1]
            self.best_loss_ = None if progress.by_score else min(self.loss_curve_)
            self.validation_scores_ = scores or None
            self.best_validation_score_ = max(scores, default=None)
        return self

    # What there is when it is fitted.

    @property
    def coefs_(self) -> list[Floats]:
        """The weights of each dense layer, (inputs, units): views, read-only."""
        return [self.params_[i].weight for i, _ in self.run_.recipe.network.dense]

    @property
    def intercepts_(self) -> list[Floats]:
        """The biases of each dense layer."""
        return [self.params_[i].bias for i, _ in self.run_.recipe.network.dense]

    def _outputs(self, X: Rows, function: str) -> Floats:
        check_is_fitted(self)
        x = validate_data(self, X, accept_sparse=("csr", "csc"), reset=False)
        x = x if isinstance(x, np.ndarray) else x.tocsr()
        return outputs_of(self.run_.recipe.network, self.params_, x, f"{type(self).__name__}.{function}")

    @classmethod
    def from_params(cls, network: Network, params: Params) -> Self:
        """A fitted estimator of a network and its parameters, wherever they are from.

        Raises:
            TypeError, ValueError: for params of another network, or a network of another kind.
        """
        if network.answers == cls._never:
            rule, got = f"must not be one that answers with {cls._never}", repr(network.layers[-1])
            raise checks.problem(ValueError, f"{cls.__name__}.from_params", "network", rule, got)
        estimator = cls(network=network)
        estimator.n_features_in_ = network.inputs
        return estimator._fitted(Progress(start(network, params=params)), 0)

    def save(self, path: Path, *, custom: Sequence[type] = ()) -> None:
        """Save the fitted estimator in one file, without pickle: the file of its run, as `fnn.save_run` makes it.

        `load` gives it back, to predict and to go on to the same bits; `fnn.load_run` reads the run in it.
        `validation`, `on_epoch` and a `random_state` that is no integer are not kept.

        Args:
            path: as in `fnn.save`.
            custom: the classes of the records in network and optimizer that are one's own.

        Raises:
            NotFittedError, OSError, TypeError, ValueError: as `fnn.save_run`; for classes that are no plain labels.
        """
        check_is_fitted(self)
        estimatorfiles.save(f"{type(self).__name__}.save", self, path, custom)

    @classmethod
    def load(cls, path: Path, *, custom: Sequence[type] = ()) -> Self:
        """The estimator in a file that `save` made. Nothing in the file is run.

        Raises:
            OSError, ModelFileError, TypeError: as `fnn.load_run`; for a file without an estimator of this class.
        """
        loaded: Self = estimatorfiles.load(f"{cls.__name__}.load", cls, path, custom)
        return loaded

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _weights(where: str, sample_weight: ArrayLike | None, x: Any) -> Array | None:
    """The weights that were given, one for each row."""
    if sample_weight is None:
        return None
    w = np.full(x.shape[0], sample_weight) if isinstance(sample_weight, numbers.Real) else sample_weight
    array: Array = check_array(w, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if not array.any():
        raise checks.problem(ValueError, where, "sample_weight", "must be above 0 for some row", "zero for every row")
    return checks.weights(where, array, x.shape[0])
