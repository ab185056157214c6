"""What mypy must find wrong in strict mode: `# E:` and a part of the error of that line."""

from __future__ import annotations

import dataclasses

import attrs
import numpy as np

import fnn
from fnn.arrays import Array, Floats

x, y = np.zeros((8, 4), np.uint8), np.arange(8) % 3
data = fnn.Dataset(x, y)
network = fnn.mlp(4, 5, 3)
params = fnn.init_params(network, seed=0)
adam = fnn.Adam()
state = fnn.adam_init(adam, params)
run = fnn.start(network)

# A misspelt name.
fnn.Dense(5, "rleu")  # E: Argument 2 to "Dense" has incompatible type "Literal['rleu']"
fnn.Dense(5, activation="leaky-relu")  # E: to "Dense" has incompatible type "Literal['leaky-relu']"
fnn.Dense(5, weight_init="he_norml")  # E: has incompatible type "Literal['he_norml']"
fnn.BatchNorm("Relu")  # E: Argument 1 to "BatchNorm" has incompatible type "Literal['Relu']"
fnn.mlp(4, 3, activation="tahn")  # E: Argument "activation" to "mlp" has incompatible type "Literal['tahn']"
fnn.mlp(4, 3, output="sotfmax")  # E: Argument "output" to "mlp" has incompatible type "Literal['sotfmax']"
fnn.mlp(4, 3, loss="crossentropy")  # E: Argument "loss" to "mlp" has incompatible type "Literal['crossentropy']"
fnn.Network(4, (fnn.Dense(3),), loss="mean_squared")  # E: to "Network" has incompatible type "Literal['mean_squared']"
fnn.start(network, monitor="val_acc")  # E: Argument "monitor" to "start" has incompatible type "Literal['val_acc']"
fnn.train(network, data, every="batch")  # E: Argument "every" to "train" has incompatible type "Literal['batch']"

# A misspelt setting or attribute.
fnn.fit(network, data, epochs=2, sed=1)  # E: Unexpected keyword argument "sed" for "fit"; did you mean "seed"?
fnn.fit(network, data, epochs=2, batchsize=8)  # E: "batchsize" for "fit"; did you mean "batch_size"?
fnn.train(network, data, epochs=2)  # E: Unexpected keyword argument "epochs" for "train"
fnn.start(network, sed=1)  # E: Unexpected keyword argument "sed" for "start"; did you mean "seed"?
fnn.Dense(5, "relu", maxnorm=3.0)  # E: Unexpected keyword argument "maxnorm" for "Dense"; did you mean "max_norm"?
fnn.Adam(lr=1e-3)  # E: Unexpected keyword argument "lr" for "Adam"
fnn.batches(data, size=8)  # E: Unexpected keyword argument "size" for "batches"
print(run.bets)  # E: "TrainState" has no attribute "bets"
print(params[0].weights)  # E: "LayerParams" has no attribute "weights"
fnn.foward(network, params, x)  # E: Module has no attribute "foward"; maybe "forward"?

# What is missing, or in another order.
fnn.fit(network, data)  # E: Missing named argument "epochs" for "fit"
fnn.fit(network, data, 20)  # E: Too many positional arguments for "fit"
fnn.loss(network, params, x)  # E: Missing positional argument "y" in call to "loss"
fnn.init_params(network)  # E: Missing positional argument "seed" in call to "init_params"
fnn.forward(params, network, x)  # E: "Params"; expected "Network" # E: "Network"; expected "Params"
fnn.forward(params, x)  # E: Missing positional argument "network" in call to "forward"
fnn.evaluate(params, data)  # E: Missing positional argument "network" in call to "evaluate"
fnn.train_step(next(fnn.batches(data)), run)  # E: "Batch"; expected "TrainState" # E: "TrainState"; expected "Batch"
fnn.adam_step(adam, params, params, state)  # E: "Params"; expected "AdamState" # E: "AdamState"; expected "Params"
fnn.adam_step(params, adam, state, params)  # E: "Params"; expected "Descent[AdamState]" # E: "Adam"; expected "Params"
fnn.sgd_step(fnn.SGD(), params, state, params)  # E: "AdamState"; expected "SGDState"
fnn.Network((fnn.Dense(3),), 4, "mse")  # E: "tuple[Dense]"; expected "int" # E: "int"; expected "Iterable[Layer]"

# A value of another kind.
fnn.fit(network, x, epochs=2)  # E: expected "Dataset"
fnn.fit(network, data, epochs=2, validation=(x, y))  # E: expected "Dataset | float | None"
fnn.fit(network, data, epochs="2")  # E: Argument "epochs" to "fit" has incompatible type "str"; expected "int"
fnn.fit(network, data, epochs=2, optimizer="adam")  # E: "str"; expected "Optimizer"
fnn.fit(network, data, epochs=2, on_epoch=len)  # E: expected "Callable[[TrainState], object] | None"
fnn.Dense("5")  # E: Argument 1 to "Dense" has incompatible type "str"; expected "int"
fnn.Dense(5, l2="a little")  # E: Argument "l2" to "Dense" has incompatible type "str"; expected "float"
fnn.Dense(5, fnn.MSE())  # E: Argument 2 to "Dense" has incompatible type "MSE"
fnn.Network(4, (fnn.Dense(3), "relu"), "mse")  # E: "tuple[Dense, str]"; expected "Iterable[Layer]"
fnn.Network(4, (fnn.Dense(3),), fnn.Relu())  # E: Argument 3 to "Network" has incompatible type "Relu"
fnn.Adam("fast")  # E: Argument 1 to "Adam" has incompatible type "str"; expected "float | Schedule"
fnn.loss(network, params, x, y, key=0)  # E: "int"; expected "Key | None"
fnn.evaluate(network, params, data).accuracy + 1  # E: Unsupported operand types for + ("None" and "int")

# Frozen records.
network.inputs = 5  # E: Property "inputs" defined in "Network" is read-only
fnn.Dense(5).units = 6  # E: Property "units" defined in "Dense" is read-only
adam.learning_rate = 0.1  # E: Property "learning_rate" defined in "Adam" is read-only
params.vector = params.vector + 1  # E: Property "vector" defined in "Params" is read-only
params[0].weight = params.vector  # E: Property "weight" defined in "LayerParams" is read-only
params[0] = params[1]  # E: Unsupported target for indexed assignment ("Params")
state.step = 3  # E: Property "step" defined in "AdamState" is read-only
data.x = x  # E: Property "x" defined in "Dataset" is read-only
run.epoch = 3  # E: Property "epoch" defined in "TrainState" is read-only
next(fnn.batches(data)).x = x  # E: Property "x" defined in "Batch" is read-only


# A user's own parts that lack something.


@attrs.frozen
class OneWay:
    def value(self, z: Floats) -> Floats:
        return z


@dataclasses.dataclass(frozen=True)
class OtherArguments:
    def value(self, z: Floats) -> Floats:
        return z

    def vjp(self, z: Floats, da: Floats) -> Floats:
        return da


@attrs.frozen
class Total:
    def rows(self, a: Floats, y: Array) -> float:
        return float(np.abs(a - y).sum())

    def vjp(self, a: Floats, y: Array) -> Floats:
        return np.asarray(np.sign(a - y))


@dataclasses.dataclass(frozen=True)
class Stateless:
    def step(self, params: fnn.Params, g: fnn.Params) -> fnn.Params:
        return params


@attrs.frozen
class Words:
    def __call__(self, step: int) -> str:
        return "0.1"


fnn.Dense(5, OneWay())  # E: "OneWay" is missing following "Activation" protocol member
fnn.mlp(4, 3, activation=OneWay())  # E: "OneWay" is missing following "Activation" protocol member
fnn.BatchNorm(OtherArguments())  # E: Argument 1 to "BatchNorm" has incompatible type "OtherArguments"
fnn.Dense(5, OneWay)  # E: "OneWay" is missing following "Activation" protocol member
fnn.mlp(4, 3, loss=Total())  # E: Argument "loss" to "mlp" has incompatible type "Total"
fnn.Network(4, (fnn.Dense(3),), Total())  # E: Argument 3 to "Network" has incompatible type "Total"
fnn.start(network, optimizer=Stateless())  # E: "Stateless"; expected "Optimizer"
fnn.init(Stateless(), params)  # E: "Stateless" is missing following "Optimizer" protocol member
fnn.SGD(Words())  # E: Argument 1 to "SGD" has incompatible type "Words"; expected "float | Schedule"
