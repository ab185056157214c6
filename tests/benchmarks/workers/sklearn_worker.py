"""scikit-learn's MLPClassifier: `partial_fit`, which is one shuffled epoch and keeps the optimizer's state.

Where a round has several epochs, it is one warm-started `fit` of so many iterations, which checks the data once.
"""

from __future__ import annotations

import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from tests.benchmarks.settings import Setting
from tests.benchmarks.workers.serving import Array, Data, numpy_threads, serve


class Sklearn:
    def __init__(self, setting: Setting, data: Data) -> None:
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.setting, self.data = setting, data
        self.model = MLPClassifier(
            setting.hidden,
            solver="adam" if setting.optimizer == "adam" else "sgd",
            learning_rate_init=setting.rate,
            momentum=0.9 if setting.optimizer == "momentum" else 0.0,
            nesterovs_momentum=False,
            alpha=0.0,
            batch_size=setting.batch,
            max_iter=setting.epochs,
            n_iter_no_change=10**9,
            warm_start=True,
            random_state=0,
        )
        self.classes = np.unique(data.y)

    def train(self) -> int:
        if self.setting.epochs == 1:
            self.model.partial_fit(self.data.x, self.data.y, classes=self.classes)
        else:
            self.model.fit(self.data.x, self.data.y)
        return -(-len(self.data.x) // self.setting.batch) * self.setting.epochs

    def predict(self, x: Array) -> Array:
        probabilities: Array = self.model.predict_proba(x)
        return probabilities

    def about(self) -> tuple[str, int]:
        return f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}", numpy_threads()


if __name__ == "__main__":
    serve(Sklearn)
