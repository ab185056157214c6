"""A training that is killed three times and goes on each time ends with the same bits as one that never was."""

# %%
import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import fnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--file", type=Path, help="train, going on from this file: kill it and start it at will")
parser.add_argument("--quick", action="store_true", help="fewer epochs, to see that it runs")
options = parser.parse_args()
file, epochs = options.file or Path(tempfile.mkdtemp(), "run.safetensors"), 20 if options.quick else 60
data, held_out = fnn.split(fnn.load_digits(), 0.2, seed=0)
network = fnn.Network(64, (fnn.Dense(64, "relu"), fnn.Dropout(0.3), fnn.Dense(10, "softmax")), "cross_entropy", 1 / 16)
fit = partial(fnn.fit, network, data, validation=held_out, patience=9)


def last() -> fnn.TrainState:
    return fnn.load_run(file) if file.exists() else fnn.start(network, optimizer=fnn.Adam(3e-3))


# %% With a file: go on from it where there is one, and write it after each epoch. This is all that a script needs.
if options.file:
    keep = partial(fnn.save_run, file)
    sys.exit(keep(fit(state=last(), epochs=epochs - last().epoch, on_epoch=keep)))  # the last, where Ctrl-C came

# %% Without one: that in processes of its own, three of which are killed.
for epoch in (3, 6, 9, epochs + 1):
    with subprocess.Popen([sys.executable, __file__, "--file", str(file), *sys.argv[1:]]) as work:
        while work.poll() is None and last().epoch < epoch:
            pass  # a file that is being written is read as the one before
        work.kill()
    print("killed at" if work.returncode else "came to", last())
print(f"{fnn.digest(last())} at its end\n{fnn.digest(fit(epochs=epochs, optimizer=fnn.Adam(3e-3)))} if never killed")
