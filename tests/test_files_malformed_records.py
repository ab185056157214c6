"""Model files whose sums are right, and whose record or tensors are those of no model and no run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnn
from tests.model_files import GONE, Parts, changed, deep, edited, model, refused, run

UNITS, LAYER = "network.layers.0.units", "network.layers.0"
NETWORK = "must hold what makes a Network, got"
NO_NETWORK = f"{NETWORK} TypeError: load: `record` must be a Network, got"
KNOWN = "from_dict: `value` must have under 'spec' the name of a known class, got"
GIVE = "Give a class of your own after `value`."
FIELDS = "must have a record of dtype, kind, made_on, network, and a dtype of floats, got …."

JUNK: list[Any] = [None, 1, True, ["Dense"], {}, "", "\x1b[2J"]
LAYERS: list[tuple[Any, str]] = [
    (None, "TypeError: Network: `layers` must be a tuple of layers, got None"),
    (3, "TypeError: Network: `layers` must be a tuple of layers, got 3"),
    ("Dense", "TypeError: Network: `layers` must hold layers such as Dense(256, 'relu'), got 'D' at 0"),
    ([], "ValueError: Network: `layers` must have at least one layer, got none"),
    ([[]], "TypeError: Network: `layers` must hold layers such as Dense(256, 'relu'), got () at 0"),
    ({"0": 1}, f"ValueError: {KNOWN} None. {GIVE[:-1]}"),
]

MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "no kind": ({"kind": GONE}, "must hold a model, got None."),
    "another kind": ({"kind": ["model"]}, "must hold a model, got ['model']."),
    "no network": ({"network": GONE}, FIELDS),
    "no dtype": ({"dtype": GONE}, FIELDS),
    "one more field": ({"more": 1}, FIELDS),
    "a run's field": ({"epoch": 1}, FIELDS),
    **{
        f"the dtype {dtype!r}": ({"dtype": dtype}, FIELDS)
        for dtype in ("float16", "object", "<f4", "F32", "", None, 4, ["float32"], {"float32": 1})
    },
    "not what it was made on": ({"made_on": GONE}, "must say what it was made on, got None."),
    "made on a text": ({"made_on": "Linux"}, "must say what it was made on, got 'Linux'."),
    "made on a list": ({"made_on": {"numpy": [2]}}, "must say what it was made on, got {'numpy': [2]}."),
    "made on a number": ({"made_on": {"numpy": 2.4}}, "must say what it was made on, got {'numpy': 2.4}."),
    "a network that is none": ({"network": None}, f"{NO_NETWORK} None."),
    "a network that is a number": ({"network": 1}, f"{NO_NETWORK} an int."),
    "a network that is a list": ({"network": []}, f"{NO_NETWORK} a tuple."),
    "a network that is a text": (
        {"network": "mlp(2, 3)"}, f"{NO_NETWORK} a str."
    ),
    "a layer for a network": (
        {"network": {"spec": "Dropout", "rate": 0.5}},
        f"{NO_NETWORK} a Dropout.",
    ),
    "a state for a network": (
        {"network": {"state": "SGDState", "fields": {"step": 1}}},
        f"{NO_NETWORK} an SGDState.",
    ),
    "a tensor for a network": (
        {"network": {"tensor": "layers.0.bias"}}, f"{NETWORK} ValueError: there is no tensor 'layers.0.bias'."
    ),
    "a float for a network": (
        {"network": {"float": "nan"}}, f"{NO_NETWORK} a float."
    ),
    "an unknown float": ({"network": {"float": "NaN"}}, f"{NETWORK} ValueError: {KNOWN} None. {GIVE[:-1]}."),
    "an unknown class": (
        {f"{LAYER}.spec": "Dence"}, "must need no class that is not given, got Dence. Give `custom=(Dence,)`."
    ),
    "unknown classes": (
        {f"{LAYER}.spec": "Dence", "network.loss.spec": "Loss", f"{LAYER}.bias_init": {"spec": "Dence"}},
        "must need no class that is not given, got Dence, Loss. Give `custom=(Dence, Loss)`.",
    ),
    "an unknown state": (
        {"network": {"state": "TrainState", "fields": {}}},
        "must need no class that is not given, got TrainState. Give `custom=(TrainState,)`.",
    ),
    "an abstract class": (
        {f"{LAYER}.spec": "Descent"}, "must need no class that is not given, got Descent. Give `custom=(Descent,)`."
    ),
    "a class that is none": ({f"{LAYER}.spec": "os.system"}, f"{NETWORK} ValueError: {KNOWN} 'os.system'. {GIVE}"),
    "a class of 2000 letters": (
        {f"{LAYER}.spec": "D" * 2000},
        f"must need no class that is not given, got {'D' * 400}…{'D' * 99}. "
        f"Give `custom=({'D' * 386}…{'D' * 95},)`.",
    ),
    **{
        f"the class {name!r}": ({f"{LAYER}.spec": name}, f"{NETWORK} ValueError: {KNOWN} {name!r}. {GIVE}")
        for name in JUNK
    },
    "no class": ({f"{LAYER}.spec": GONE}, f"{NETWORK} ValueError: {KNOWN} None. {GIVE}"),
    "an unknown setting": (
        {f"{LAYER}.unit": 3},
        f"{NETWORK} ValueError: from_dict: `value` must have settings of Dense only, units, activation, weight_init, "
        "bias_init, l1, l2, max_norm, got 'unit'.",
    ),
    "self": (
        {"network.layers.2.self": 1},
        f"{NETWORK} ValueError: from_dict: `value` must have settings of Dropout only, rate, got 'self'.",
    ),
    "a setting missing": (
        {UNITS: GONE},
        f"{NETWORK} ValueError: from_dict: `value` must have every setting of Dense that has no default, "
        "got none for 'units'.",
    ),
    **{
        f"{units} units": (
            {UNITS: units}, f"{NETWORK} {kind}: Dense: `units` must be an integer of at least 1, got {shown}."
        )
        for units, kind, shown in [
            (0, "ValueError", 0), (-1, "ValueError", -1), (1.0, "TypeError", 1.0), (True, "TypeError", True),
            ("3", "TypeError", "'3'"), (None, "TypeError", None), ([3], "TypeError", "(3,)"),
        ]
    },
    "2**60 units": (
        {UNITS: 2**60}, "must have layers.0.weight of float32 with shape (2, 1152921504606846976), "
        "got an array of float32 with shape (2, 3)."
    ),
    "10**4000 units": (
        {UNITS: 10**4000},
        "must have layers.0.weight of float32 with shape (2, 1…, got an array of float32 with shape (2, 3).",
    ),
    "a rate of 1": (
        {"network.layers.2.rate": 1}, f"{NETWORK} ValueError: Dropout: `rate` must be a number in [0, 1), got 1."
    ),
    "a rate that is not finite": (
        {"network.layers.2.rate": {"float": "nan"}}, f"{NETWORK} ValueError: {KNOWN} None. {GIVE}"
    ),
    "a penalty of 10**400": (
        {f"{LAYER}.l2": 10**400},
        f"{NETWORK} ValueError: Dense: `l2` must be a finite number of at least 0, got 10…00.",
    ),
    "an activation of another kind": (
        {f"{LAYER}.activation": {"spec": "Zeros"}}, f"{NETWORK} TypeError: Dense: `activation` must be …."
    ),
    "an activation's name": ({f"{LAYER}.activation": "rely"}, f"{NETWORK} ValueError: Dense: `activation` must be …."),
    **{
        f"layers that are {layers!r}": ({"network.layers": layers}, f"{NETWORK} {said}.")
        for layers, said in LAYERS
    },
    "layers 300 deep": ({"network.layers": deep(300)}, f"{NETWORK} TypeError: Network: `layers` must hold layers …."),
    "an unknown loss": ({"network.loss": "mce"}, f"{NETWORK} ValueError: Network: `loss` must be one of …."),
    "a loss that does not fit": (
        {"network.loss": {"spec": "BinaryCrossEntropy"}}, f"{NETWORK} ValueError: Network: `loss` must go with ….",
    ),
    "no inputs": ({"network.inputs": 0}, f"{NETWORK} ValueError: Network: `inputs` must be an integer …, got 0."),
    "a scale of 0": ({"network.input_scale": 0.0}, f"{NETWORK} ValueError: Network: `input_scale` must be …, got 0.0."),
    "other inputs": (
        {"network.inputs": 3},
        "must have layers.0.weight of float32 with shape (3, 3), got an array of float32 with shape (2, 3).",
    ),
    "other units in between": (
        {UNITS: 4},
        "must have layers.0.weight of float32 with shape (2, 4), got an array of float32 with shape (2, 3).",
    ),
    "other outputs": (
        {"network.layers.3.units": 4},
        "must have layers.3.weight of float32 with shape (3, 4), got an array of float32 with shape (3, 2).",
    ),
    "a layer more": (
        {"network.layers": [{"spec": "BatchNorm"}, {"spec": "Dense", "units": 2, "activation": "softmax"}]},
        "must have layers.0.weight of float32 with shape (2,), got an array of float32 with shape (2, 3).",
    ),
    "another dtype": (
        {"dtype": "float64"},
        "must have layers.0.weight of float64 with shape (2, 3), got an array of float32 with shape (2, 3).",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_records_of_no_model(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    edits, message = MODELS[name]
    path.write_bytes(edited(model(), edits))
    refused(fnn.load, path, message)


WEIGHT, OTHER = "must have layers.0.weight of float32 with shape (2, 3), got", "must have no other tensors, got"
ALLOW = "got NaN or infinity. `allow_nonfinite=True` lets it in."


def _entry(name: str, **others: Any) -> Callable[[Parts], object]:
    return lambda parts: parts.entries[name].update(others)


def _number(name: str, value: float, at: int = -1) -> Callable[[Parts], object]:
    def change(parts: Parts) -> None:
        array = parts.tensor(name)
        array.flat[at] = value
        parts.put(name, array)

    return change


def _renamed(parts: Parts) -> None:
    parts.entries["layers.0.weights"] = parts.entries.pop("layers.0.weight")


def _with_best(parts: Parts) -> None:
    for name in list(parts.entries):
        parts.add(f"best.{name}", "F32", parts.entries[name]["shape"], parts.tensor(name).tobytes())


def _half(parts: Parts) -> None:
    for entry in parts.entries.values():
        begin, end = entry["data_offsets"]
        entry.update(dtype="F16", data_offsets=[begin // 2, end // 2])
    parts.buffer = np.frombuffer(parts.buffer, "<f4").astype("<f2").tobytes()


def _none(parts: Parts) -> None:
    parts.entries, parts.buffer = {}, b""


TENSORS: dict[str, tuple[Callable[[Parts], object], str]] = {
    "no tensors": (_none, f"{WEIGHT} none."),
    "another name": (_renamed, f"{WEIGHT} none."),
    "a tensor more": (lambda parts: parts.add("layers.4.bias", "F32", [1], bytes(4)), f"{OTHER} ['layers.4.bias']."),
    "an empty tensor more": (lambda parts: parts.add("more", "U8", [0, 2**50], b""), f"{OTHER} ['more']."),
    "those of a run": (_with_best, f"{OTHER} ['best.layers.0.bias', 'best.layers.0.weight', …]."),
    "transposed": (_entry("layers.0.weight", shape=[3, 2]), f"{WEIGHT} an array of float32 with shape (3, 2)."),
    "flat": (_entry("layers.0.weight", shape=[6]), f"{WEIGHT} an array of float32 with shape (6,)."),
    "one dimension more": (
        _entry("layers.0.weight", shape=[1, 2, 3]), f"{WEIGHT} an array of float32 with shape (1, 2, 3)."
    ),
    "integers": (_entry("layers.0.weight", dtype="I32"), f"{WEIGHT} an array of int32 with shape (2, 3)."),
    "half the precision": (_half, f"{WEIGHT} an array of float16 with shape (2, 3)."),
    "bytes": (
        _entry("layers.0.weight", dtype="BOOL", shape=[2, 12]), f"{WEIGHT} an array of bool with shape (2, 12)."
    ),
    "NaN in a weight": (_number("layers.0.weight", np.nan), f"must have finite numbers in layers.0.weight, {ALLOW}"),
    "inf in a bias": (_number("layers.3.bias", np.inf), f"must have finite numbers in layers.3.bias, {ALLOW}"),
    "-inf in a mean": (_number("layers.1.mean", -np.inf), f"must have finite numbers in layers.1.mean, {ALLOW}"),
    "a negative variance": (
        _number("layers.1.variance", -1e-30, at=1), "must have layers.1.variance of at least 0, got -1e-30."
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_of_no_model(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    change, message = TENSORS[name]
    path.write_bytes(changed(model(), change))
    refused(fnn.load, path, message)


@pytest.mark.parametrize(
    "name", ["layers.0.weight", "layers.1.mean", "best.layers.1.variance", "best.layers.3.bias", "optimizer_state.v"]
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_let_in_where_it_is_allowed(tmp_path: Path, name: str, value: float) -> None:
    path = tmp_path / "file"
    path.write_bytes(changed(run(), _number(name, value)))
    refused(fnn.load_run, path, f"must have finite numbers in {name}, {ALLOW}")
    if (name, value) == ("best.layers.1.variance", -np.inf):
        refused(fnn.load_run, path, f"must have {name} of at least 0, got -inf.", allow_nonfinite=True)
    else:
        again = fnn.load_run(path, allow_nonfinite=True)
        vectors = [again.params.vector, again.params.running, again.best.vector, again.best.running]
        vectors.append(again.optimizer_state.v)
        assert sum(not np.isfinite(vector).all() for vector in vectors) == 1


def test_a_variance_of_0_is_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(changed(model(), _number("layers.1.variance", 0.0, at=1)))
    assert fnn.load(path)[1][1].variance.tolist()[1] == 0.0


def test_a_run_where_a_model_is_asked_for_and_the_other_way_round(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(run())
    refused(fnn.load, path, "must hold a model, got 'run'. Read it by `fnn.load_run`; it has `.params` and `.best`.")
    path.write_bytes(model())
    refused(fnn.load_run, path, "must hold a run, got 'model'. Read it by `fnn.load`.")


def test_the_files_that_are_changed_here_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data, load in ((model(), fnn.load), (run(), fnn.load_run), (model(np.float64), fnn.load)):
        path.write_bytes(data)
        digest = fnn.digest(load(path))
        path.write_bytes(changed(data, lambda parts: None))  # the sums are computed here as there
        assert fnn.digest(load(path)) == digest
