"""The numbers that are published for dense networks on MNIST: settings chosen on a validation part, tested once."""

# %%
import argparse
import signal
import sys
from functools import partial
from pathlib import Path
from time import perf_counter

import attrs
import numpy as np
from recipes import TABLE_9, WITH_DISTORTION, WITHOUT_DISTORTION
from tqdm import tqdm

import fnn
from fnn import images

RECORDS = WITHOUT_DISTORTION | WITH_DISTORTION | TABLE_9
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("names", nargs="*", metavar="NAME", help=f"each in quotes, of {list(RECORDS)}; without any, all")
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--runs", type=Path, default="runs", metavar="FOLDER", help="where runs are kept, to go on from")
parser.add_argument("--seeds", type=int, choices=(2, 3, 5, 10), help="without it five of table 9, three of the others")
either = parser.add_mutually_exclusive_group()
either.add_argument("--readme", type=Path, metavar="FILE", help="put each row into this file, where its name has one")
either.add_argument("--quick", action="store_true", help="two seeds and epochs, to see that it runs")
options = parser.parse_args()
text = options.readme.read_text(encoding="utf-8") if options.readme else ""
for name in options.names or RECORDS:
    if name not in RECORDS or (text and f"\n| {name} | {RECORDS[name].published} |" not in text):
        parser.error(f"{name!r} is none of {f'the rows of {options.readme}' if name in RECORDS else list(RECORDS)}")
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once: the last epoch is in its file
train, test = fnn.load_mnist(options.data)
rest, held_out = fnn.split(train, 1 / 6, seed=0)
options.runs.mkdir(parents=True, exist_ok=True)


# %% A run goes on from its file, which is named by the digest of all that it depends on.
def trained(name: str, value: float, data: fnn.Dataset, seed: int) -> fnn.TrainState:
    record, epochs = RECORDS[name], 2 if options.quick else RECORDS[name].epochs
    run = record.start(value, seed, len(data), epochs)
    file = options.runs / f"{fnn.digest((run, record.distortion, data))}.safetensors"
    run, keep = fnn.load_run(file) if file.exists() else run, partial(fnn.save_run, file)
    print(f"{name}: {record.setting} {value:g}, {len(data):,} images, seed {seed}, in {file}", file=sys.stderr)
    if not record.distortion:
        left = epochs - run.epoch
        return fnn.fit(run.recipe.network, data, state=run, epochs=left, progress=True, on_epoch=keep)
    for epoch in tqdm(range(run.epoch, epochs), initial=run.epoch, total=epochs, unit="epoch"):
        begun = perf_counter()
        for batch in fnn.batches(data, batch_size=run.recipe.batch_size, seed=seed, epoch=epoch):
            run = fnn.train_step(run, images.distort(record.distortion, batch))
        run = fnn.end_epoch(run)
        timed = attrs.evolve(run.history[-1], seconds=perf_counter() - begun)
        keep(run := attrs.evolve(run, history=(*run.history[:-1], timed)))
    return run


# %% The value that is best on the validation part; with it all images, seed by seed, and then the test.
def right(run: fnn.TrainState) -> float:
    return fnn.evaluate(run.recipe.network, run.params, held_out).accuracy or 0.0


print("| | published | accuracy ± sd | s.e. | together | chosen | minutes |\n|---|---|---|---|---|---|---|")
for name in options.names or RECORDS:
    record, seeds = RECORDS[name], 2 if options.quick else options.seeds or (5 if name in TABLE_9 else 3)
    best = max(record.values, key=lambda value: right(trained(name, value, rest, seed=0)), default=0.0)
    runs = [trained(name, best, train, seed) for seed in range(seeds)]
    network, (x, y, _) = runs[0].recipe.network, test.take()
    scores = [100 * fnn.accuracy(y, fnn.predict(network, run.params, x)) for run in runs]
    together = 100 * fnn.accuracy(y, fnn.ensemble(network, [run.params for run in runs], x).argmax(axis=1))
    minutes = np.mean([sum(epoch.seconds or 0.0 for epoch in run.history) for run in runs]) / 60
    accuracy = f"{np.mean(scores):.2f} ± {(sd := np.std(scores, ddof=1)):.2f} | {sd / seeds**0.5:.3f} | {together:.2f}"
    chosen = f"{record.setting} {best:g}" if record.values else ""
    print(row := f"| {name} | {record.published} | {accuracy} | {chosen} | {minutes:.1f} |", flush=True)
    if options.readme:
        lines = options.readme.read_text(encoding="utf-8").split("\n")
        text = "\n".join(row if line.startswith(f"| {name} | {record.published} |") else line for line in lines)
        options.readme.write_text(text, encoding="utf-8")
