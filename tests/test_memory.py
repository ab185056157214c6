"""Training on uint8 pixels takes little more memory than the pixels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from pathlib import Path
import numpy as np
import sklearn.model_selection
import fnn

def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

rng = np.random.default_rng(0)
x, y = rng.integers(0, 256, (60000, 784), dtype=np.uint8), rng.integers(0, 10, 60000)
data = fnn.Dataset(x, y)
network = fnn.mlp(784, 256, 128, 10, input_scale=1 / 255)
fnn.fit(network, fnn.Dataset(x[:128], y[:128]), epochs=1)  # what it imports is no part of it
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = status("VmRSS")
fnn.fit(network, data, epochs=1, validation=1 / 6)
print(status("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is read from Linux's /proc")
def test_training_peaks_at_sixty_megabytes_over_the_data_and_the_libraries() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert float(result.stdout) < 60
