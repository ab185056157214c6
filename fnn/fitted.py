"""What an estimator is when it is fitted: its attributes, its predictions, and its file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from fnn import checks, estimating, estimatorfiles
from fnn.arrays import Floats, Rows
from fnn.estimating import Progress
from fnn.files import Path
from fnn.network import Network
from fnn.params import Params
from fnn.passes import check_model, outputs_of
from fnn.runs import start


class Fitted(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The half of an estimator that has something to show: where its training is, and what it has learned of y."""

    _never: ClassVar[str]  # what no network of its answers with

    def _fitted(self, progress: Progress, n_iter: int, known: Any, loss: float = math.nan) -> Self:
        """What scikit-learn calls the fitted attributes: the one place where there is something new."""
        run = progress.run
        self._progress, self._known, self.run_ = progress, known, run
        self.params_ = run.best if progress.by_score else run.params
        self.t_, self.n_iter_ = progress.t, n_iter
        self.loss_ = np.float64(estimating.loss_of(run) if run.history else loss)
        self.n_layers_, self.n_outputs_ = 1 + len(self.network_.dense), self.network_.outputs
        output = type(self.network_.layers[-1].activation).__name__.lower()
        self.out_activation_ = "logistic" if output == "sigmoid" else output
        if known is not None:
            self.classes_ = known.labels
        self.best_loss_ = None if progress.by_score or not run.history else np.float64(progress.best_value)
        self.validation_scores_ = list(progress.scores) or None
        self.best_validation_score_ = max(progress.scores, default=None)
        return self

    # What it knows.

    @property
    def network_(self) -> Network:
        """The spec that `params_` are the numbers of."""
        return self.run_.recipe.network

    @property
    def loss_curve_(self) -> list[float]:
        """The loss of each epoch, with penalties; L-BFGS has none."""
        if not hasattr(self, "run_") or not self.run_.history:
            raise AttributeError(f"{type(self).__name__} has no loss_curve_ before it was trained by epochs.")
        return estimating.losses(self.run_)

    @property
    def coefs_(self) -> list[Floats]:
        """The weights of each dense layer, (inputs, units): views, read-only."""
        return [self.params_[i].weight for i, _ in self.network_.dense]

    @property
    def intercepts_(self) -> list[Floats]:
        """The biases of each dense layer."""
        return [self.params_[i].bias for i, _ in self.network_.dense]

    def _outputs(self, X: Rows, function: str) -> Floats:
        check_is_fitted(self)
        x = validate_data(self, X, accept_sparse=("csr", "csc"), reset=False)
        x = x if isinstance(x, np.ndarray) else x.tocsr()
        return outputs_of(self.network_, self.params_, x, f"{type(self).__name__}.{function}")

    @classmethod
    def from_params(cls, network: Network, params: Params) -> Self:
        """A fitted estimator of a network and its parameters: `fnn.pack_params(network, arrays)` makes these of arrays.

        Raises:
            TypeError, ValueError: for params of another network, or a network of another kind.
        """
        where = f"{cls.__name__}.from_params"
        check_model(where, network, params)
        estimator = cls(network=network)
        estimator._check_answers(where, network)
        estimator.n_features_in_ = network.inputs
        return estimator._fitted(Progress(start(network, params=params)), 0, None)

    def _check_answers(self, where: str, network: Network) -> None:
        """Refuse a network of another kind."""
        if network.answers == self._never:
            rule, fix = f"must not answer with {self._never}", "Its hidden layers alone get what y needs."
            raise checks.problem(ValueError, where, "network", rule, repr(network.layers[-1]), fix)

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
