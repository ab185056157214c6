"""PyTorch: the usual eager loop with its fused optimizer, on tensors in memory; it keeps no loss."""

from __future__ import annotations

import torch

from tests.benchmarks.settings import Setting
from tests.benchmarks.workers.serving import Array, Data, serve


class Torch:
    def __init__(self, setting: Setting, data: Data) -> None:
        torch.manual_seed(0)
        dtype = getattr(torch, setting.dtype)
        self.x, self.y = torch.from_numpy(data.x), torch.from_numpy(data.y.astype("int64"))
        inputs, outputs = data.widths
        layers = []
        for units in setting.hidden:
            layers += [torch.nn.Linear(inputs, units, dtype=dtype), torch.nn.ReLU()]
            if setting.batch_norm:
                layers.append(torch.nn.BatchNorm1d(units, dtype=dtype))
            if setting.dropout:
                layers.append(torch.nn.Dropout(setting.dropout))
            inputs = units
        self.model = torch.nn.Sequential(*layers, torch.nn.Linear(inputs, outputs, dtype=dtype))
        parameters = self.model.parameters()
        if setting.optimizer == "adam":
            self.optimizer = torch.optim.Adam(parameters, lr=setting.rate, fused=True)
        else:
            momentum = 0.9 if setting.optimizer == "momentum" else 0.0
            self.optimizer = torch.optim.SGD(parameters, lr=setting.rate, momentum=momentum, fused=True)
        self.criterion = torch.nn.CrossEntropyLoss()
        self.setting = setting

    def train(self) -> int:
        self.model.train()
        for _ in range(self.setting.epochs):
            batches = torch.randperm(len(self.x)).split(self.setting.batch)
            for rows in batches:
                self.optimizer.zero_grad()
                self.criterion(self.model(self.x[rows]), self.y[rows]).backward()
                self.optimizer.step()
        return len(batches) * self.setting.epochs

    def predict(self, x: Array) -> Array:
        if self.model.training:
            self.model.eval()
        with torch.inference_mode():
            probabilities: Array = self.model(torch.from_numpy(x)).softmax(dim=1).numpy()
        return probabilities

    def about(self) -> tuple[str, int]:
        return f"PyTorch {torch.__version__}", torch.get_num_threads()


if __name__ == "__main__":
    serve(Torch)
