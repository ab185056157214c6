"""Keras 3 on TensorFlow: `compile` with its defaults, XLA where Keras chooses it, and `fit`."""

from __future__ import annotations

import keras
import tensorflow

from tests.benchmarks.settings import Setting
from tests.benchmarks.workers.serving import Array, Data, cores, serve


class Keras:
    def __init__(self, setting: Setting, data: Data) -> None:
        keras.utils.set_random_seed(0)
        keras.config.set_floatx(setting.dtype)
        inputs, outputs = data.widths
        layers = [keras.Input((inputs,))]
        for units in setting.hidden:
            layers.append(keras.layers.Dense(units, "relu"))
            if setting.batch_norm:
                layers.append(keras.layers.BatchNormalization())
            if setting.dropout:
                layers.append(keras.layers.Dropout(setting.dropout))
        self.model = keras.Sequential([*layers, keras.layers.Dense(outputs)])
        if setting.optimizer == "adam":
            optimizer = keras.optimizers.Adam(setting.rate)
        else:
            optimizer = keras.optimizers.SGD(setting.rate, momentum=0.9 if setting.optimizer == "momentum" else 0.0)
        self.model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        self.setting, self.data = setting, data

    def train(self) -> int:
        batch, epochs = self.setting.batch, self.setting.epochs
        self.model.fit(self.data.x, self.data.y, batch_size=batch, epochs=epochs, shuffle=True, verbose=0)
        return -(-len(self.data.x) // batch) * epochs

    def predict(self, x: Array) -> Array:
        """The logits, since nobody times it."""
        logits: Array = self.model.predict(x, batch_size=1000, verbose=0)
        return logits

    def about(self) -> tuple[str, int]:
        return f"Keras {keras.__version__}, TensorFlow {tensorflow.__version__}", cores()


if __name__ == "__main__":
    serve(Keras)
