"""What is trained: a record for each setting, which goes to the workers as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Setting:
    """A network of ReLU layers with softmax and cross-entropy, the data, and how it is trained."""

    name: str
    hidden: tuple[int, ...]
    optimizer: str = "adam"  # or "sgd", or "momentum", which is sgd with 0.9
    rate: float = 1e-3
    batch: int = 64
    data: str = "mnist"  # one of those that data.py makes
    rows: int | None = None  # the first ones alone
    epochs: int = 1  # in a round
    dropout: float = 0.0  # after each hidden layer
    batch_norm: bool = False  # after each hidden layer's ReLU
    dtype: str = "float32"

    @property
    def input_scale(self) -> float:
        """What the values are multiplied by: pixels come as integers."""
        return {"mnist": 1 / 255, "digits": 1 / 16}.get(self.data, 1.0)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Setting:
        fields = json.loads(text)
        return Setting(**fields | {"hidden": tuple(fields["hidden"])})


MAIN = {
    "A": Setting("784-256-128-10, Adam(0.001), batches of 64", (256, 128)),
    "B": Setting("784-128-10, SGD(0.1), batches of 128", (128,), "sgd", 0.1, 128),
    "C": Setting("784-100-10, SGD(0.1), batches of 100", (100,), "sgd", 0.1, 100),
    "D": Setting("784-1024-1024-10, Adam(0.001), batches of 256", (1024, 1024), batch=256),
}
