"""scikit-learn's multi-layer perceptrons over fnn's functions: estimators that take the place of its own.

`from fnn.estimators import MLPClassifier` for `from sklearn.neural_network import MLPClassifier`. All that was trained
is in frozen records: `run_`, a `TrainState`, and `params_`, what predictions are made by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import attrs
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from fnn import arguments, checks
from fnn.arguments import Head, by
from fnn.arrays import Array, Floats, Rows
from fnn.dataset import Dataset
from fnn.entropies import BinaryCrossEntropy, CrossEntropy
from fnn.estimating import Classes
from fnn.losses import Poisson, SquaredError
from fnn.network import Network
from fnn.params import Params
from fnn.perceptrons import Perceptron, by_epochs
from fnn.scores import accuracy, r2

HiddenActivation = Literal["identity", "logistic", "tanh", "relu"]
ClassWeight = Mapping[Any, float] | Sequence[Mapping[Any, float]] | Literal["balanced"]


@attrs.define(slots=False, eq=False, repr=False)
class MLPClassifier(ClassifierMixin, Perceptron):  # type: ignore[misc]  # scikit-learn has no types
    """A multi-layer perceptron for classes, or for several labels of yes or no: scikit-learn's, over fnn's functions.

    Its objective is Σ w·l / Σ w + ½ alpha Σ W² / Σ w, over the rows of a batch and the weights W of the layers: l is
    cross-entropy after softmax; for two classes and for labels binary cross-entropy after the logistic function, the
    sum over the labels. (That of a whole `network` is its own.) The arguments of scikit-learn's MLPClassifier (1.9)
    mean what they mean there, but for random_state, warm_start and weights, of which README says what is other and
    why; the last six are fnn's. `fit` looks at them.

    Args:
        hidden_layer_sizes: the units of each hidden layer, at least 1 each; an integer is one layer.
        activation: of hidden layers: "identity", "logistic", "tanh" or "relu".
        solver: "adam", "sgd", or "lbfgs", which takes all rows at once.
        alpha: the strength of the L2 penalty, at least 0.
        batch_size: at least 1, cut down to the rows there are; "auto" is 200.
        learning_rate: of "sgd": "constant"; "invscaling": learning_rate_init / (t + 1)^power_t after t rows;
            "adaptive": a fifth each time that nothing got better for too long, until it is at most 1e-6.
        learning_rate_init: above 0, of "sgd" and "adam".
        power_t: at least 0.
        max_iter: the most epochs, or iterations of "lbfgs".
        shuffle: whether each epoch takes the rows in another order.
        random_state: of the first parameters, the shuffles and the split; an integer for the same bits again.
        tol: by how much a loss, or a validation score, has to be better than the best to count as progress; of
            "lbfgs", no number of the gradient is larger at the end.
        verbose: whether to print each epoch's loss.
        warm_start: whether `fit` goes on where the last one ended, with the optimizer's state and new shuffles; after
            early stopping too from the last parameters, while the best are kept.
        momentum: of "sgd", in [0, 1].
        nesterovs_momentum: whether it looks ahead.
        early_stopping: whether to stop by the score on validation data, and to predict by the best epoch's parameters.
        validation_fraction: the share of the rows that are held out for it, in [0, 1), stratified but for labels.
        beta_1, beta_2: of "adam", in [0, 1).
        epsilon: of "adam", above 0, added to √v (`fnn.Adam(corrected_epsilon=False)`).
        n_iter_no_change: the training ends after more epochs in a row without progress; at least 1, or infinity.
        max_fun: of "lbfgs", how often the loss is computed at most.
        network: a `fnn.Network`, or a tuple of its hidden layers, to which X gives the width and y the last layer;
            instead of hidden_layer_sizes, activation and alpha.
        optimizer: any of fnn's, with its schedule (of steps, max_iter · ⌈n / batch_size⌉ in all) and clipping, or one's
            own; instead of solver, learning_rate, …, epsilon. A search goes over whole ones.
        validation: (X, y) for the scores, as it comes out of a pipeline's other steps, instead of a part of the rows;
            without `early_stopping` they are only kept. Not of "lbfgs", like the next two.
        progress: whether to show a bar on stderr.
        on_epoch: called with the `fnn.TrainState` after each epoch; a KeyboardInterrupt ends the training there.
        class_weight: {class: weight}, 1 for the others, a list of such for several labels, or "balanced", by which all
            classes weigh the same.

    Attributes:
        run_: the `fnn.TrainState`, from which functions go on: `fnn.fit(model.network_, data, state=model.run_,
            epochs=5)`, `fnn.diagnose`, `plots.history`; their labels are `np.searchsorted(model.classes_, y)`.
        network_, params_: the `fnn.Network`, and the `fnn.Params` that predictions are made by.
        classes_: the labels, sorted; for several 0, 1, ….
        coefs_, intercepts_: the weights (inputs, units) and biases of each layer; views, read-only.
        loss_, loss_curve_, best_loss_: of the last epoch, each and the best, with penalties; best_loss_ is None with
            early stopping, and of "lbfgs", which has no loss_curve_.
        validation_scores_, best_validation_score_: the accuracy after each epoch, and the best; else None.
        n_iter_, t_: the epochs of the last fit, and the rows seen in all.
        n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_: as in scikit-learn.

    >>> from sklearn.datasets import load_iris
    >>> from fnn.estimators import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> round(model.score(X, y), 2)
    0.99
    """

    hidden_layer_sizes: int | Sequence[int] = attrs.field(default=(100,), metadata=by(arguments.widths))
    activation: HiddenActivation = attrs.field(default="relu", metadata=by(arguments.activation))
    class_weight: ClassWeight | None = attrs.field(default=None, kw_only=True, metadata=by(arguments.weights))

    _of_numbers: ClassVar[bool] = False
    _never: ClassVar[str] = "values"
    loss: ClassVar[str] = "log_loss"

    @by_epochs  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None = None, classes: ArrayLike | None = None
    ) -> Self:
        """Train for one more epoch, on these rows: n times on the same rows are a fit of n epochs, bit for bit.

        Args:
            X: as in `fit`.
            y: as in `fit`.
            sample_weight: as in `fit`.
            classes: all classes that there will be; wanted in the first call.

        Raises:
            TypeError, ValueError: as `fit`; for `early_stopping`, which one epoch cannot; for other classes.
        """
        where, begun = f"{type(self).__name__}.partial_fit", hasattr(self, "run_")
        if not begun and classes is None:
            raise checks.problem(ValueError, where, "classes", "must be given in the first call", "None")
        if begun and classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            got = checks.show(np.unique(np.asarray(classes)).tolist())
            raise checks.problem(ValueError, where, "classes", f"must be {self.classes_.tolist()} again", got)
        return self._fit("partial_fit", X, y, sample_weight, classes)

    def predict(self, X: Rows) -> Array:
        """The class of each row, shape (n,); for several labels 1 or 0 each, shape (n, labels)."""
        p = self._outputs(X, "predict")
        if self._known.several:
            return (p > 0.5).astype(np.int64)
        index = (p[:, 0] > 0.5).astype(np.intp) if p.shape[1] == 1 else p.argmax(axis=1)
        found: Array = self.classes_.take(index, mode="clip")  # where there is but one class
        return found

    def predict_proba(self, X: Rows) -> Floats:
        """The probability of each class, shape (n, classes); for several labels that of each one's yes."""
        p = self._outputs(X, "predict_proba")
        return np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p

    def predict_log_proba(self, X: Rows) -> Floats:
        """The natural logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @classmethod
    def from_params(cls, network: Network, params: Params, classes: ArrayLike | None = None) -> Self:
        """A fitted estimator of a network and its parameters, wherever they are from.

        Args:
            network: the spec; its answers are classes, or yes or no.
            params: its numbers.
            classes: the labels in the order of the outputs, each above the one before; None is 0, 1, ….

        Raises:
            TypeError, ValueError: for params of another network, or classes that are not as many as it knows.
        """
        estimator = super().from_params(network, params)
        count = max(network.outputs, 2)
        labels = np.arange(count) if classes is None else np.asarray(classes)
        if len(labels) != count or not np.array_equal(np.unique(labels), labels):
            rule = f"must be {count} labels, each above the one before"
            raise checks.problem(ValueError, f"{cls.__name__}.from_params", "classes", rule, checks.show(classes))
        return estimator._fitted(estimator._progress, 0, Classes(labels, network.multilabel))

    def _learned(self, where: str, y: Array, classes: ArrayLike | None) -> Classes:
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            rule, fix = "must be labels, or 1 and 0 in columns", "MultiOutputClassifier takes the columns one by one."
            raise checks.problem(ValueError, where, "y", rule, checks.show(y), fix)
        if kind.startswith("multilabel"):
            return Classes(np.arange(y.shape[1]), several=True)
        return Classes(unique_labels(y if classes is None else np.asarray(classes)), several=False)

    def _targets(self, where: str, y: Array, known: Classes, *, again: bool) -> Array:
        shape = (len(y), len(known.labels)) if known.several else (len(y),)
        if y.shape != shape:
            raise checks.problem(ValueError, where, "y", f"must have shape {shape}, as before", str(y.shape))
        if known.several:
            return y.astype(np.int64)
        (seen, which), labels = np.unique(y, return_inverse=True), known.labels.tolist()
        if not set(labels).issuperset(seen.tolist()) or (again and len(seen) < len(labels)):
            rule = f"must have {'just' if again else 'no others than'} the classes of before, {labels}"
            raise checks.problem(ValueError, where, "y", rule, checks.show(seen.tolist()))
        index: Array = np.searchsorted(known.labels, seen.astype(known.labels.dtype))[which]
        return index

    def _head(self, where: str, targets: Array, known: Classes, given: Any) -> Head:
        several, count = known.several, len(known.labels)
        is_classes = isinstance(given.network, Network) and given.network.answers == "classes"
        if is_classes and several:
            got = repr(given.network.layers[-1])
            raise checks.problem(ValueError, where, "network", "must end with sigmoid for several labels", got)
        if several:
            return Head(count, "sigmoid", BinaryCrossEntropy(summed=True))
        if count > 2 or is_classes:
            return Head(count, "softmax", CrossEntropy())
        return Head(1, "sigmoid", BinaryCrossEntropy())

    def _weights(self, where: str, targets: Array, known: Classes, w: Array | None) -> Array | None:
        given = self.class_weight
        if given is None:
            return w
        if isinstance(given, Mapping) and not known.several:
            labels = known.labels.tolist()
            if strange := [label for label in given if label not in labels]:
                rule = f"must have the classes of y as its keys, {labels}"
                raise checks.problem(ValueError, where, "class_weight", rule, checks.show(strange))
            of_class: Array = np.array([given.get(label, 1.0) for label in labels])[targets]
        else:
            of_class = compute_sample_weight(given, targets)
        return checks.weights(where, of_class if w is None else of_class * w, len(targets))

    def _worth(self, outputs: Floats, held: Dataset) -> float:
        y, w = held.take()[1:]
        if y.ndim == 2:
            return accuracy(((outputs > 0.5) == y).all(axis=1), np.ones(len(y), bool), w)
        return accuracy(y, outputs[:, 0] > 0.5 if outputs.shape[1] == 1 else outputs.argmax(axis=1), w)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@attrs.define(slots=False, eq=False, repr=False)
class MLPRegressor(RegressorMixin, Perceptron):  # type: ignore[misc]  # scikit-learn has no types
    """A multi-layer perceptron for numbers: scikit-learn's, over fnn's functions.

    As `MLPClassifier`, with another head: l is half the sum over outputs of (a − y)², or after the exponential half the
    Poisson deviance, the sum over outputs of a − y + y ln(y / a), for which y is at least 0. Scores are r². The squared
    errors of several outputs are reported as their mean over outputs, as in scikit-learn.

    Args:
        loss: "squared_error" or "poisson".
        hidden_layer_sizes, activation, …: as in `MLPClassifier`, which alone has class_weight.

    Attributes:
        run_, params_, …: as of `MLPClassifier`, without classes_.

    >>> import numpy as np
    >>> from fnn.estimators import MLPRegressor
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> model = MLPRegressor(solver="lbfgs", random_state=0).fit(X, X[:, 0] ** 2)
    >>> round(model.score(X, X[:, 0] ** 2), 2)
    1.0
    """

    loss: Literal["squared_error", "poisson"] = attrs.field(default="squared_error", metadata=by(arguments.loss))
    hidden_layer_sizes: int | Sequence[int] = attrs.field(default=(100,), metadata=by(arguments.widths))
    activation: HiddenActivation = attrs.field(default="relu", metadata=by(arguments.activation))

    _of_numbers: ClassVar[bool] = True
    _never: ClassVar[str] = "classes"

    def predict(self, X: Rows) -> Floats:
        """The predicted numbers, shape (n,) for one output, else (n, outputs)."""
        outputs = self._outputs(X, "predict")
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def _head(self, where: str, targets: Array, known: None, given: Any) -> Head:
        units = 1 if targets.ndim == 1 else targets.shape[1]
        return Head(units, "exp", Poisson()) if given.loss == "poisson" else Head(units, "identity", SquaredError())

    def _worth(self, outputs: Floats, held: Dataset) -> float:
        y, w = held.take()[1:]
        return r2(y.reshape(outputs.shape), outputs, w)
