"""Model files: what is in them, that other tools read them, and that those of each format are read for ever."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load as plain_load

import fnn
from tests.stand_ins import exactly
from tests.test_specs import networks

GOLDEN = Path(__file__).parent / "golden"
NETWORK = fnn.Network(
    4,
    (fnn.Dropout(0.2), fnn.Dense(5, "relu", l2=0.1), fnn.BatchNorm("tanh"), fnn.LayerNorm(), fnn.Dense(3, "softmax")),
    loss="cross_entropy",
    input_scale=0.5,
)
NAMES = [
    *("layers.1.weight", "layers.1.bias"),
    *("layers.2.weight", "layers.2.bias", "layers.2.mean", "layers.2.variance"),
    *("layers.3.weight", "layers.3.bias", "layers.4.weight", "layers.4.bias"),
]


def _data(n: int = 30) -> fnn.Dataset:
    rng = np.random.default_rng(n)
    return fnn.Dataset(rng.standard_normal((n, 4)), rng.integers(0, 3, n))


def run_of(optimizer: Any = fnn.Adam(fnn.Cosine(0.01, 20)), epochs: int = 2) -> fnn.TrainState:  # noqa: B008  # frozen
    run = fnn.fit(NETWORK, _data(), optimizer=optimizer, batch_size=8, epochs=epochs, validation=_data(10))
    return fnn.train_step(run, next(fnn.batches(_data(), batch_size=8, epoch=epochs)))


def record_in(path: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The record, the entries of the header, and the tensors' bytes; read by nothing of fnn's."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__")
    assert metadata.keys() == {"fnn"}
    return json.loads(metadata["fnn"]), header, data[start:]


def test_the_tensors_are_the_layers_by_name(tmp_path: Path) -> None:
    run, path = run_of(), tmp_path / "run.safetensors"
    fnn.save_run(path, run)
    record, header, buffer = record_in(path)
    params = [*NAMES, *(f"best.{name}" for name in NAMES)]
    assert header.keys() == {*params, "optimizer_state.m", "optimizer_state.v"}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(buffer[begin:end], "<f4").reshape(entry["shape"])
        if name.startswith("optimizer_state."):
            expected = getattr(run.optimizer_state, name.removeprefix("optimizer_state."))
        else:
            owner = run.best if name.startswith("best.") else run.params
            _, index, part = name.removeprefix("best.").split(".")
            expected = getattr(owner[int(index)], part)
        assert entry["dtype"] == "F32"
        assert np.array_equal(array, expected)
    assert record["recipe"] == fnn.to_dict(run.recipe)
    assert record["recipe"]["seed"] == 0
    assert [record[name] for name in ("format", "kind", "dtype", "epoch", "batch")] == [1, "run", "float32", 2, 1]
    assert record["sums"] == attrs.asdict(run.sums)
    assert record["history"][1]["val_loss"] == run.history[1].val_loss
    assert record["optimizer_state"]["fields"]["step"] == 9
    assert record["made_on"]["numpy"] == np.__version__


def test_the_sums_are_of_the_tensors_bytes_and_of_all_else(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    fnn.save(path, NETWORK, run_of().params)
    record, header, buffer = record_in(path)
    sums = record.pop("sha256")
    assert sums["tensors"] == hashlib.sha256(buffer).hexdigest()
    rest = json.dumps([header, record], sort_keys=True, separators=(",", ":"))
    assert sums["rest"] == hashlib.sha256(rest.encode()).hexdigest()


def test_the_record_is_canonical_and_the_bytes_repeat(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run = run_of()
    fnn.save_run(one, run)
    fnn.save_run(two, fnn.load_run(one))
    assert one.read_bytes() == two.read_bytes()
    header = one.read_bytes()[8:]
    text = json.loads(header[: int.from_bytes(one.read_bytes()[:8], "little")])["__metadata__"]["fnn"]
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert text.isascii()


def test_plain_safetensors_reads_the_same_numbers(tmp_path: Path) -> None:
    path, params = tmp_path / "model.safetensors", run_of().params
    fnn.save(path, NETWORK, params)
    for tensors in (plain_load(path.read_bytes()), _opened(path)):
        assert tensors.keys() == set(NAMES)
        again = fnn.pack_params(NETWORK, [tensors[name] for name in NAMES])
        assert fnn.digest(again) == fnn.digest(params)
    assert fnn.load_arrays(path).keys() == set(NAMES)


def _opened(path: Path) -> dict[str, Any]:
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dictionary


if importlib.util.find_spec("torch"):

    def test_pytorch_reads_the_same_numbers_and_makes_the_same_of_them(tmp_path: Path) -> None:
        import torch
        from safetensors.torch import load_file

        network = fnn.mlp(4, 5, 3, activation="tanh")
        params, x = fnn.init_params(network, seed=0), np.asarray(_data().x, np.float32)
        fnn.save(tmp_path / "model", network, params)
        tensors = load_file(tmp_path / "model")
        assert all(np.array_equal(tensors[f"layers.{i}.weight"].numpy(), params[i].weight) for i in (0, 1))
        model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3), torch.nn.Softmax(1))
        weights = {f"{2 * i}.weight": tensors[f"layers.{i}.weight"].T for i in (0, 1)}
        biases = {f"{2 * i}.bias": tensors[f"layers.{i}.bias"] for i in (0, 1)}
        model.load_state_dict(weights | biases)
        with torch.no_grad():
            theirs = model(torch.from_numpy(x)).numpy()
        assert np.allclose(theirs, fnn.forward(network, params, x), rtol=1e-5, atol=1e-7)


def test_what_is_loaded_is_sealed(tmp_path: Path) -> None:
    path = tmp_path / "run"
    fnn.save_run(path, run_of())
    run = fnn.load_run(path)
    for array in (run.params.vector, run.params.running, run.best.vector, run.optimizer_state.m, run.optimizer_state.v):
        assert array.flags.c_contiguous
        assert array.flags.aligned
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@given(networks(), st.integers(0, 9), st.sampled_from([np.float32, np.float64]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_network_comes_back(tmp_path: Path, network: fnn.Network, seed: int, dtype: Any) -> None:
    """Of any layers, settings and width up to what fits."""
    small = [attrs.evolve(layer, units=1 + layer.units % 7) for _, layer in network.dense]
    network = attrs.evolve(
        network,
        inputs=1 + network.inputs % 9,
        layers=tuple(small.pop(0) if isinstance(layer, fnn.Dense) else layer for layer in network.layers[:-1])
        + network.layers[-1:],
    )
    draw = np.random.default_rng(seed)
    vector, running = draw.standard_normal(network.layout.size), draw.random(network.layout.running_size)
    params = fnn.Params(network.layout, vector.astype(dtype), running.astype(dtype))
    fnn.save(tmp_path / "model", network, params)
    again, loaded = fnn.load(tmp_path / "model")
    assert again == network
    assert fnn.digest(loaded) == fnn.digest(params)


@pytest.mark.parametrize("value", [0.1, 5e-324, -0.0, 1 / 3, 1.7976931348623157e308, float("nan"), float("inf")])
def test_sums_and_history_to_the_last_bit(tmp_path: Path, value: float) -> None:
    run = run_of()
    history = (attrs.evolve(run.history[0], val_loss=value, val_accuracy=None, seconds=value), *run.history[1:])
    run = attrs.evolve(run, sums=attrs.evolve(run.sums, right=value), history=history)
    fnn.save_run(tmp_path / "run", run)
    again = fnn.load_run(tmp_path / "run")
    assert fnn.digest(again) == fnn.digest(run)
    record = again.history[0]
    assert record.seconds is not None
    assert (record.seconds.hex(), record.val_accuracy) == (value.hex(), None)


def test_what_is_not_finite_is_kept_where_it_is_allowed(tmp_path: Path) -> None:
    path, params = tmp_path / "model", run_of().params
    broken = attrs.evolve(params, vector=np.where(np.arange(len(params.vector)) == 7, np.nan, params.vector))
    message = "save: `layers.1.weight` must be finite in float32, got nan at (1, 2)."
    with pytest.raises(ValueError, match=exactly(f"{message} `allow_nonfinite=True` saves it all the same.")):
        fnn.save(path, NETWORK, broken)
    assert not path.exists()
    fnn.save(path, NETWORK, broken, allow_nonfinite=True)
    message = f"load: `{path}` must have finite numbers in layers.1.weight, got NaN or infinity."
    with pytest.raises(fnn.ModelFileError, match=exactly(f"{message} `allow_nonfinite=True` lets it in.")):
        fnn.load(path)
    assert fnn.digest(fnn.load(path, allow_nonfinite=True)[1]) == fnn.digest(broken)


def test_moments_must_be_finite_too(tmp_path: Path) -> None:
    """Adam's v overflows where the gradient does not."""
    run, path = fnn.start(fnn.mlp(1, 1, output="identity", loss="mse")), tmp_path / "run"
    zeros = attrs.evolve(run, params=attrs.evolve(run.params, vector=np.zeros(2, np.float32)))
    run = fnn.train_step(zeros, fnn.Batch([[1e20]], [1.0], key=run.key))
    assert run.optimizer_state.v.tolist()[0] == np.inf
    with pytest.raises(ValueError, match=r"^save_run: `optimizer_state\.v` must be finite in float32, got inf at 0\."):
        fnn.save_run(path, run)
    fnn.save_run(path, run, allow_nonfinite=True)
    assert fnn.digest(fnn.load_run(path, allow_nonfinite=True)) == fnn.digest(run)


@pytest.mark.parametrize(
    ("change", "got"),
    [
        ({"epoch": 1, "best_epoch": 1}, "a history of the epochs [1, 2] after epoch 1"),
        ({"history": ()}, "a history of the epochs [] after epoch 2"),
        ({"best_epoch": 3}, "epoch, batch and best epoch [2, 1, 3]"),
        ({"batch": 0}, "batch 0 and a sum of weights of 8.0"),
        ({"stopped": "tired"}, "'tired' for `stopped`"),
        ({"optimizer_state": fnn.SGDState(3)}, "SGDState(step=3) as the state of Adam"),
    ],
)
def test_what_no_training_makes_is_not_saved(tmp_path: Path, change: dict[str, Any], got: str) -> None:
    with pytest.raises(ValueError, match=exactly(f"save_run: `run` must be a state of training, got {got}.")):
        fnn.save_run(tmp_path / "run", attrs.evolve(run_of(), **change))
    assert list(tmp_path.iterdir()) == []


def test_a_header_that_no_tool_would_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of()  # one alone: another's seconds may be longer as text
    monkeypatch.setattr("fnn.tensorfile.MAX_HEADER", 2000)
    with pytest.raises(
        ValueError, match=r"^save_run: `run` must have .* fit into a header of 2,000 bytes, got [34],\d+\.$"
    ):
        fnn.save_run(tmp_path / "run", run)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    fnn.save_run(tmp_path / "run", run)
    length = int.from_bytes((tmp_path / "run").read_bytes()[:8], "little")
    monkeypatch.setattr("fnn.tensorfile.MAX_HEADER", length)
    fnn.save_run(tmp_path / "run", run)
    monkeypatch.setattr("fnn.tensorfile.MAX_HEADER", length - 1)
    with pytest.raises(ValueError, match=f"got {length:,}"):
        fnn.save_run(tmp_path / "run", run)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: fnn.save(path, NETWORK, None), "save: `params` must be a Params, got None."),  # type: ignore[arg-type]
        (lambda path: fnn.save(path, run_of().params, NETWORK), "save: `network` must be a Network, got a Params."),  # type: ignore[arg-type]
        (
            lambda path: fnn.save_run(path, run_of().params),  # type: ignore[arg-type]
            "save_run: `run` must be a TrainState, got a Params. Of another, not all would come back.",
        ),
        (lambda path: fnn.load(path, max_bytes=1.5), "load: `max_bytes` must be an integer of at least 1, got 1.5."),  # type: ignore[arg-type]
    ],
)
def test_arguments_that_are_none(tmp_path: Path, call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=exactly(message)):
        call(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


# Files of each format, which are never made again: those of format 1 are of `run_of`, as it was then. What holds the
# numbers has the digest that it had then; that of a whole run is also of the settings that there have come to be since.
MODEL_1 = "96095205d77ec85d4ed722400c233541"
BEST_1, MOMENTS_1 = "9f9ca93861729997a5d0eb853b37c81c", "ae9f82cde6de2962174d5ab7941cfd4e"
RUN_1 = "c88940c67ac7c939f7975552b1bf2735"


def test_golden_model_of_format_1() -> None:
    network, params = fnn.load(GOLDEN / "model-1.safetensors")
    assert network == NETWORK
    assert fnn.digest(params) == MODEL_1
    assert fnn.forward(network, params, [[1, 2, 3, 4]]).shape == (1, 3)


def test_golden_run_of_format_1() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it was made on another machine
        run = fnn.load_run(GOLDEN / "run-1.safetensors")
    assert [fnn.digest(part) for part in (run.params, run.best, run.optimizer_state)] == [MODEL_1, BEST_1, MOMENTS_1]
    assert fnn.digest(run) == RUN_1
    assert run.recipe == fnn.Recipe(NETWORK, fnn.Adam(fnn.Cosine(0.01, 20)), batch_size=8)
    assert (run.epoch, run.batch, len(run.history)) == (2, 1, 2)
    assert [record.loss for record in run.history] == [1.972219055891037, 1.7587513449291388]
    assert (run.sums.weight, run.sums.loss, run.sums.right) == (8, 17.689594104886055, 1)
    assert (run.sums.penalty, {record.penalty for record in run.history}) == (0, {None})  # none was kept then
    assert fnn.fit(NETWORK, _data(), state=run, epochs=1, validation=_data(10)).epoch == 3


def test_saving_and_loading_import_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys, fnn; network = fnn.mlp(2, 2); fnn.save('m', network, fnn.init_params(network, 0)); fnn.load('m');"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'sklearn', 'scipy', 'pickle', 'torch', 'tqdm'}))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert done.stdout == "['pickle']\n"  # NumPy's own
