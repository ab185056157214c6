"""A training that is killed three times and goes on each time ends with the same bits as one that never was."""

# %%
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import fnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--file", type=Path, help="train, going on from this file: kill it and start it at will")
parser.add_argument("--quick", action="store_true", help="fewer epochs, to see that it runs")
options = parser.parse_args()
epochs = 20 if options.quick else 60
data, held_out = fnn.split(fnn.load_digits(), 0.2, seed=0)
network = fnn.Network(64, (fnn.Dense(64, "relu"), fnn.Dropout(0.3), fnn.Dense(10, "softmax")), "cross_entropy", 1 / 16)
begun = fnn.start(network, optimizer=fnn.Adam(3e-3))

# %% With a file: go on from it where there is one, and write it after each epoch. This is all that a script needs.
if options.file:
    run = fnn.load_run(options.file) if options.file.exists() else begun
    for _ in range(run.epoch, epochs):
        run = fnn.fit(network, data, state=run, epochs=1, validation=held_out)
        fnn.save_run(options.file, run)
        print(f"epoch {run.epoch}: {fnn.digest(run)}", flush=True)

# %% Without one: that in four processes, three of which are killed when they have told of three epochs.
else:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--file", f"{folder}/run.safetensors", *sys.argv[1:]]
        for told in (3, 3, 3, epochs):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as work:
                lines = [line for _, line in zip(range(told), work.stdout or (), strict=False)]
                work.kill()
            print(f"{'killed at' if told == 3 else 'came to':12} {lines[-1]}", end="")
    whole = fnn.fit(network, data, state=begun, epochs=epochs, validation=held_out)
    print(f"never killed epoch {whole.epoch}: {fnn.digest(whole)}")
