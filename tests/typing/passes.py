"""What mypy must accept in strict mode, and the types that it must find: `# R:` and the type revealed on that line."""

from __future__ import annotations

import dataclasses
from typing import Any, reveal_type

import attrs
import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse

import fnn
from fnn.arrays import Array, Floats

x, y = np.zeros((8, 4), np.uint8), np.arange(8) % 3
data = fnn.Dataset(x, y)
network = fnn.mlp(4, 5, 3)
params = fnn.init_params(network, seed=0)

# Specs.
reveal_type(network)  # R: Network
reveal_type(network.loss)  # R: Loss
reveal_type(network.layers)  # R: tuple[Layer, ...]
reveal_type(fnn.Dense(3, "relu").activation)  # R: Activation
reveal_type(fnn.Dense(3).max_norm)  # R: float | None
reveal_type(fnn.Adam(1e-3).learning_rate)  # R: float | Schedule
reveal_type(fnn.Key(0, 0, 0).seed)  # R: int
fnn.Network(4, [fnn.Dense(5, "tanh"), fnn.Dropout(0.5), fnn.BatchNorm("relu"), fnn.Dense(1)], "mse")
fnn.Network(4, (fnn.Dense(3, fnn.Softmax()),), fnn.CrossEntropy(0.1), input_scale=1 / 16)
fnn.Dense(3, fnn.LeakyRelu(0.1), weight_init="he_normal", bias_init=fnn.Zeros(), l1=0, l2=1e-4, max_norm=3)
attrs.evolve(network, input_scale=0.5)

# States.
reveal_type(params)  # R: Params
reveal_type(params[0])  # R: tuple[Floats, Floats, Floats, Floats, fallback=LayerParams]
reveal_type(params[0].weight)  # R: Floats
reveal_type(params.vector)  # R: Floats
reveal_type(params.dtype)  # R: dtype[floating[Any]]
reveal_type([layer.bias for layer in params])  # R: list[Floats]
reveal_type(attrs.evolve(params, vector=params.vector + 1))  # R: Params
reveal_type(fnn.pack_params(network, [x, y]))  # R: Params
reveal_type(fnn.digest(params))  # R: str

# Functions.
reveal_type(fnn.forward(network, params, x))  # R: Floats
reveal_type(fnn.forward(network, params, [[1, 2, 3, 4]]))  # R: Floats
reveal_type(fnn.predict(network, params, x))  # R: Array
reveal_type(fnn.loss(network, params, x, y))  # R: float
reveal_type(fnn.grads(network, params, x, y, key=fnn.Key(0, 0, 0)))  # R: Params
reveal_type(fnn.loss_and_grads(network, params, x, y, sample_weight=np.ones(8)))  # R: tuple[float, Params]
reveal_type(fnn.project(network, params))  # R: Params
reveal_type(fnn.evaluate(network, params, data))  # R: Evaluation
reveal_type(fnn.evaluate(network, params, data).accuracy)  # R: float | None
reveal_type(fnn.evaluate(network, params, data).loss)  # R: float
reveal_type(fnn.accuracy(y, y))  # R: float
reveal_type(fnn.check_grads(network, params, x, y).ok)  # R: bool
reveal_type(fnn.summary(network))  # R: Summary

# Data.
reveal_type(data)  # R: Dataset
reveal_type(data.x)  # R: Array
reveal_type(data.sample_weight)  # R: Array | None
reveal_type(fnn.Dataset([[1, 2]], [0], sample_weight=[1.0], rows=[0]).rows)  # R: Ints | None
reveal_type(fnn.split(data, 0.5))  # R: tuple[Dataset, Dataset]
reveal_type(fnn.kfold(data, k=5, seed=1))  # R: tuple[tuple[Dataset, Dataset], ...]
reveal_type(fnn.Dataset(np.memmap("file", np.uint8, shape=(8, 4)), y))  # R: Dataset
reveal_type(fnn.Dataset(sparse.coo_matrix(x), y).x)  # R: Array
reveal_type(fnn.predict(network, params, sparse.csr_array(x)))  # R: Array
reveal_type(fnn.loss(network, params, sparse.csc_array(x), y))  # R: float
reveal_type(fnn.Batch(x, y, key=fnn.Key(0, 0, 0)).rows)  # R: Ints
reveal_type(fnn.Batch(sparse.csr_array(x), [0, 1], [1.0, 2.0], rows=[3, 5], key=fnn.Key(0, 0, 0)))  # R: Batch
reveal_type(fnn.one_hot([0, 1], 2))  # R: Floats
fnn.Dataset(x, y, sample_weight=fnn.class_weights(y, "balanced"))
reveal_type(fnn.class_weights([0, 1], {0: 1, 1: 2.5}))  # R: Floats
standardizer = fnn.standardizer(data)
reveal_type(standardizer.mean)  # R: Floats
reveal_type(fnn.standardize(standardizer, data))  # R: Dataset
reveal_type(fnn.standardize(standardizer, x))  # R: Floats
reveal_type(fnn.standardize(standardizer, [[1, 2, 3, 4]]))  # R: Floats
reveal_type(fnn.load_digits())  # R: Dataset
reveal_type(fnn.load_mnist("folder"))  # R: tuple[Dataset, Dataset]
reveal_type(fnn.load_idx("file"))  # R: Array
reveal_type(fnn.load_idx_folder("folder"))  # R: dict[str, Dataset]
reveal_type(fnn.load("file"))  # R: tuple[Network, Params]
reveal_type(fnn.load_arrays("file"))  # R: dict[str, Array]
reveal_type(fnn.load_csv("file", header=True))  # R: Dataset
for frame in (pd.DataFrame({"a": [1], "b": [2]}), pl.DataFrame({"a": [1], "b": [2]})):
    reveal_type(fnn.Dataset(frame[["a"]], frame["b"]))  # R: Dataset
    reveal_type(fnn.forward(network, params, frame))  # R: Floats
    reveal_type(fnn.loss(network, params, frame, frame["b"], sample_weight=frame["a"]))  # R: float
for batch in fnn.batches(data, batch_size=None):
    reveal_type(batch)  # R: Batch
    reveal_type(batch.key)  # R: Key
    attrs.evolve(batch, x=batch.x + 1)

# Optimizers.
adam = fnn.Adam(fnn.Cosine(1e-3, steps=100), clip_norm=1.0)
state = fnn.adam_init(adam, params)
reveal_type(state)  # R: AdamState
reveal_type(fnn.adam_step(adam, params, state, params))  # R: tuple[Params, AdamState]
reveal_type(fnn.sgd_step(fnn.SGD(), params, fnn.SGDState(0), params))  # R: tuple[Params, SGDState]
reveal_type(fnn.step(adam, params, fnn.init(adam, params), params))  # R: tuple[Params, Any]

# Training.
run = fnn.start(network, optimizer=adam, batch_size=None, seed=1, monitor="val_accuracy", params=params)
reveal_type(run)  # R: TrainState
reveal_type(fnn.end_epoch(fnn.train_step(run, next(fnn.batches(data))), data))  # R: TrainState
reveal_type(fnn.train(network, data, optimizer=adam, batch_size=8, every="step"))  # R: Iterator[TrainState]
for each in fnn.train(network, data, state=run, validation=data):
    reveal_type(each)  # R: TrainState
    break
run = fnn.fit(network, data, optimizer=fnn.SGD(0.1), epochs=2, seed=3, validation=0.5, patience=2, on_epoch=print)
reveal_type(run)  # R: TrainState
run = fnn.fit(network, data, epochs=1, state=run, validation=data, progress=False)
reveal_type(run.params)  # R: Params
reveal_type(run.best)  # R: Params
reveal_type(run.history)  # R: tuple[EpochRecord, ...]
reveal_type(run.history[-1].val_loss)  # R: float | None
reveal_type(run.stopped)  # R: str | None
reveal_type(run.recipe.optimizer)  # R: Optimizer
reveal_type(fnn.history_table(run))  # R: str
diagnosis = fnn.diagnose(run, data)
reveal_type(diagnosis)  # R: Diagnosis
reveal_type(diagnosis.ok)  # R: bool
reveal_type(diagnosis.initial_loss)  # R: float
reveal_type([layer.update_ratio for layer in diagnosis.layers])  # R: list[float | None]
reveal_type([finding.message for finding in diagnosis.findings])  # R: list[str]
assert diagnosis.findings[0].kind == "dead units"
reveal_type(fnn.classification_report(y, fnn.predict(network, run.params, x)).macro.f1)  # R: float
reveal_type(fnn.confusion_matrix([0, 1], [0, 0]).labels)  # R: tuple[int, ...]
reveal_type(fnn.confusion_matrix(y, y).per_class_accuracy)  # R: Floats
reveal_type(fnn.regression_report([[1.0, 2.0]], [[1.5, 2.5]]).outputs[0].rmse)  # R: float
reveal_type(fnn.top_k_accuracy(y, fnn.forward(network, params, x), k=2))  # R: float
reveal_type(fnn.log_loss([0, 1], [0.5, 0.5], sample_weight=[1, 2]))  # R: float
reveal_type(fnn.confusion_matrix(y, y).most_confused(3)[0].count)  # R: int
reveal_type(fnn.mistakes(y, fnn.forward(network, params, x)).rows)  # R: Ints
reveal_type(fnn.mistakes(y, [0.5] * 8).rate)  # R: float
reveal_type(fnn.class_counts(train=data, test=[0, 1]).counts)  # R: Ints
reveal_type(fnn.decision_boundary(network, params, data).answers)  # R: Array
reveal_type(fnn.saliency(network, params, x, classes=y))  # R: Floats
reveal_type(fnn.calibration(y, fnn.forward(network, params, x)).error)  # R: float


# A user's own parts, as attrs records and as dataclasses.


@attrs.frozen
class Square:
    scale: float = 1.0

    def value(self, z: Floats) -> Floats:
        return np.asarray(self.scale * z * z)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return np.asarray(da * 2 * self.scale * z)


@dataclasses.dataclass(frozen=True)
class Cube:
    def value(self, z: Floats) -> Floats:
        return np.asarray(z**3)

    def vjp(self, z: Floats, a: Floats, da: Floats) -> Floats:
        return np.asarray(da * 3 * z * z)


@attrs.frozen
class Quartic:
    def rows(self, a: Floats, y: Array) -> Floats:
        return np.asarray(((a - y) ** 4).sum(axis=1))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return np.asarray(4 * (a - y) ** 3)


@dataclasses.dataclass(frozen=True)
class Absolute:
    def rows(self, a: Floats, y: Array) -> Floats:
        return np.asarray(np.abs(a - y).sum(axis=1))

    def vjp(self, a: Floats, y: Array) -> Floats:
        return np.asarray(np.sign(a - y))


@attrs.frozen(eq=False)
class SignState(fnn.State):
    step: int


@attrs.frozen
class SignDescent:
    learning_rate: float = 0.01

    def init(self, params: fnn.Params) -> SignState:
        return SignState(0)

    def step(self, params: fnn.Params, state: SignState, g: fnn.Params) -> tuple[fnn.Params, SignState]:
        vector = params.vector - self.learning_rate * np.sign(g.vector)
        return attrs.evolve(params, vector=vector, running=g.running), SignState(state.step + 1)


@dataclasses.dataclass(frozen=True)
class Plain:
    def init(self, params: fnn.Params) -> Any:
        return None

    def step(self, params: fnn.Params, state: Any, g: fnn.Params) -> tuple[fnn.Params, Any]:
        return attrs.evolve(params, vector=params.vector - g.vector), None


@attrs.frozen
class Halving:
    every: int

    def __call__(self, step: int) -> float:
        return 0.5 ** (step // self.every)


@dataclasses.dataclass(frozen=True)
class Inverse:
    def __call__(self, step: int) -> float:
        return 1 / (1 + step)


squares: fnn.Activation = Square()
quartic: fnn.Loss = Quartic()
signs: fnn.Optimizer = SignDescent()
halving: fnn.Schedule = Halving(10)
own = fnn.Network(4, (fnn.Dense(5, Square(2.0)), fnn.BatchNorm(Cube()), fnn.Dense(1)), loss=Quartic())
fnn.mlp(4, 5, 1, activation=Cube(), output=Square(), loss=Absolute())
reveal_type(fnn.fit(own, data, epochs=1, optimizer=SignDescent()).best)  # R: Params
fnn.save("file", own, params, custom=(Square, Cube, Quartic))
fnn.save_run("file", fnn.start(own, optimizer=SignDescent()), custom=[SignDescent, SignState])
reveal_type(fnn.load_run("file", custom=(SignDescent, SignState)))  # R: TrainState
reveal_type(fnn.step(Plain(), params, None, params))  # R: tuple[Params, Any]
reveal_type(fnn.start(own, optimizer=Plain()))  # R: TrainState
fnn.Adam(Halving(10))
fnn.Momentum(Inverse(), nesterov=True)
