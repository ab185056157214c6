"""The public names that training does not need: each room is imported when one of its names is first asked for.

Training alone is imported in two thirds of the time. `fnn` takes the two functions for its own.
"""

from __future__ import annotations

import sys
from importlib import import_module

LATER = {
    "analysis": "DecisionBoundary GradientCheck Summary check_grads decision_boundary saliency summary",
    "arrayfiles": "load_arrays",
    "data": "load_csv load_digits load_openml",
    "diagnosis": "Diagnosis LayerHealth diagnose",
    "ensembles": "ensemble",
    "files": "load load_run save save_run",
    "findings": "Finding",
    "idx": "load_idx load_idx_folder load_mnist",
    "lbfgs": "LBFGSRun fit_lbfgs",
    "metrics": "ClassificationReport Confusion ConfusionMatrix RegressionReport classification_report "
    "confusion_matrix regression_report",
    "preprocessing": "ClassCounts Standardizer class_counts class_weights one_hot standardize standardizer",
    "probabilities": "Calibration Mistakes calibration log_loss mistakes top_k_accuracy",
    "reports": "history_table log_table",
    "specs": "from_dict to_dict",
    "tensorfile": "ModelFileError",
    "tracing": "LayerTrace Trace trace",
}


def __getattr__(name: str) -> object:
    front = sys.modules["fnn"]
    for room, names in LATER.items():
        if name in names.split():
            value = getattr(import_module(f"fnn.{room}"), name)
            setattr(front, name, value)  # the next time it is simply there
            return value
    raise AttributeError(f"module 'fnn' has no attribute {name!r}", name=name, obj=front)


def __dir__() -> list[str]:
    front = sys.modules["fnn"]
    return sorted({*vars(front), *front.__all__})
