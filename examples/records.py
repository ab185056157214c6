"""The numbers that are published for dense networks on MNIST: settings chosen on a validation part, tested once."""

# %%
import argparse
import re
import sys
from functools import partial
from pathlib import Path
from time import perf_counter

import attrs
import numpy as np
from recipes import TABLE_9, WITH_DISTORTION, WITHOUT_DISTORTION, Record
from tqdm import tqdm

import fnn
from fnn import images

RECORDS = WITHOUT_DISTORTION | WITH_DISTORTION | TABLE_9
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("names", nargs="*", metavar="NAME", help=f"{'; '.join(RECORDS)}; without any all")
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--runs", type=Path, default="runs", metavar="FOLDER", help="where runs are kept, to go on from")
parser.add_argument(
    "--seeds", type=int, choices=range(2, 100), metavar="N", help="else five of table 9, three of others"
)
parser.add_argument("--readme", type=Path, metavar="FILE", help="put each row in the place of that of its name")
parser.add_argument("--quick", action="store_true", help="two seeds and epochs, to see that it runs, and no --readme")
options = parser.parse_args()
names = options.names or list(RECORDS)
text = options.readme.read_text(encoding="utf-8") if options.readme else ""
for name in names:
    if name not in RECORDS or (text and f"\n| {name} |" not in text):
        parser.error(f"there is no {name!r} in {options.readme if name in RECORDS else list(RECORDS)}")
train, test = fnn.load_mnist(options.data)
rest, held_out = fnn.split(train, 1 / 6, seed=0)
options.runs.mkdir(parents=True, exist_ok=True)


# %% A run goes on from its file, which is named by the digest of all that it depends on.
def trained(record: Record, s: float, data: fnn.Dataset, seed: int) -> fnn.TrainState:
    epochs = 2 if options.quick else record.epochs
    run = record.start(s, seed, len(data), epochs)
    file = options.runs / f"{fnn.digest((run, record.distortion, data))}.safetensors"
    run, keep = fnn.load_run(file) if file.exists() else run, partial(fnn.save_run, file)
    print(run.recipe.network, f"seed {seed}", file.name, sep="\n", file=sys.stderr)
    if not record.distortion:
        run = fnn.fit(run.recipe.network, data, state=run, epochs=epochs - run.epoch, progress=True, on_epoch=keep)
        return run if run.stopped == "epochs" else sys.exit("interrupted: the same command goes on")
    for epoch in tqdm(range(run.epoch, epochs), initial=run.epoch, total=epochs, unit="epoch"):
        begun = perf_counter()
        for batch in fnn.batches(data, batch_size=run.recipe.batch_size, seed=seed, epoch=epoch):
            run = fnn.train_step(run, images.distort(record.distortion, batch))
        run = fnn.end_epoch(run)
        timed = attrs.evolve(run.history[-1], seconds=perf_counter() - begun)
        keep(run := attrs.evolve(run, history=(*run.history[:-1], timed)))
    return run


# %% The setting that is best on the validation part; with it all images, seed by seed, and then the test.
def right(run: fnn.TrainState) -> float:
    return fnn.evaluate(run.recipe.network, run.params, held_out).accuracy or 0.0


print("| | published | accuracy ± | error | together | s | minutes |\n|---|---|---|---|---|---|---|")
for name, record in ((name, RECORDS[name]) for name in names):
    choices = record.settings if len(record.settings) > 1 else ()
    s = max(choices, key=lambda s: right(trained(record, s, rest, seed=0)), default=record.settings[0])
    seeds = 2 if options.quick else options.seeds or (5 if name in TABLE_9 else 3)
    runs = [trained(record, s, train, seed) for seed in range(seeds)]
    network, (x, y, _) = runs[0].recipe.network, test.take()
    scores = [100 * fnn.accuracy(y, fnn.predict(network, run.params, x)) for run in runs]
    together = 100 * fnn.accuracy(y, fnn.ensemble(network, [run.params for run in runs], x).argmax(axis=1))
    minutes = np.mean([sum(epoch.seconds or 0.0 for epoch in run.history) for run in runs]) / 60
    accuracy = f"{np.mean(scores):.2f} ± {(sd := np.std(scores, ddof=1)):.2f} | {sd / seeds**0.5:.3f} | {together:.2f}"
    print(row := f"| {name} | {record.published} | {accuracy} | {s:g} | {minutes:.1f} |", flush=True)
    if text and not options.quick:
        text = re.sub(rf"(?m)^\| {re.escape(name)} \|.*$", row, text)
        options.readme.write_text(text, encoding="utf-8")
