"""The numbers that are published for dense networks on MNIST: settings chosen on a validation part, tested once."""

# %%
import argparse
import sys
from functools import partial
from pathlib import Path
from time import perf_counter

import attrs
import numpy as np
from recipes import TABLE_9, WITH_DISTORTION, WITHOUT_DISTORTION, Recipe
from tqdm import tqdm

import fnn
from fnn import images

TABLES = {"Without distortion": WITHOUT_DISTORTION, "With distortion": WITH_DISTORTION, "Table 9, smaller": TABLE_9}
MARK = "<!-- by records.py -->\n"
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("names", nargs="*", metavar="NAME", help="of a recipe, as 'dropout, max-norm'; else all")
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--runs", type=Path, default="runs", metavar="FOLDER", help="where runs are kept, to go on from")
parser.add_argument("--seeds", type=int, help="of each recipe; without it five of table 9, and three of the others")
parser.add_argument("--table", type=Path, metavar="FILE", help="put the tables into this file, between its marks")
parser.add_argument("--quick", action="store_true", help="two seeds and one epoch, to see that it runs")
options = parser.parse_args()
options.runs.mkdir(parents=True, exist_ok=True)
train, test = fnn.load_mnist(options.data)
rest, held_out = fnn.split(train, 1 / 6, seed=0)


# %% A run goes on from its file, which is named by the digest of all that it depends on.
def trained(recipe: Recipe, s: float, data: fnn.Dataset, seed: int) -> fnn.TrainState:
    epochs = 1 if options.quick else recipe.epochs
    run = recipe.start(s, seed, steps=epochs * -(-len(data) // 128))
    file = options.runs / f"{fnn.digest((run, recipe.distortion, data))}.safetensors"
    run, keep = fnn.load_run(file) if file.exists() else run, partial(fnn.save_run, file)
    print(run.recipe.network, f"seed {seed}", file.name, sep="\n", file=sys.stderr)
    if not recipe.distortion:
        left = epochs - run.epoch
        run = fnn.fit(run.recipe.network, data, state=run, epochs=left, progress=True, on_epoch=keep)
        return run if run.stopped == "epochs" else sys.exit(keep(run))  # by Ctrl-C
    for epoch in tqdm(range(run.epoch, epochs), initial=run.epoch, total=epochs, unit="epoch"):
        begun = perf_counter()
        for batch in fnn.batches(data, batch_size=128, seed=seed, epoch=epoch):
            run = fnn.train_step(run, images.distort(recipe.distortion, batch))
        run = fnn.end_epoch(run)
        timed = attrs.evolve(run.history[-1], seconds=perf_counter() - begun)
        keep(run := attrs.evolve(run, history=(*run.history[:-1], timed)))
    return run


# %% The setting that is best on the validation part; with it all images, seed by seed, and then the test.
def row(name: str, recipe: Recipe, seeds: int) -> str:
    tried = [trained(recipe, s, rest, seed=0) for s in recipe.settings if len(recipe.settings) > 1]
    held = [fnn.evaluate(run.recipe.network, run.params, held_out).accuracy or 0.0 for run in tried]
    s = recipe.settings[int(np.argmax(held or [0]))]
    runs = [trained(recipe, s, train, seed) for seed in range(seeds)]
    network, (x, y, _) = runs[0].recipe.network, test.take()
    scores = [100 * fnn.accuracy(y, fnn.predict(network, run.params, x)) for run in runs]
    together = 100 * fnn.accuracy(y, fnn.ensemble(network, [run.params for run in runs], x).argmax(axis=1))
    minutes = np.mean([sum(epoch.seconds or 0.0 for epoch in run.history) for run in runs]) / 60
    mean, deviation = np.mean(scores), np.std(scores, ddof=seeds > 1)
    cells = f"{mean:.2f} ± {deviation:.2f} | {deviation / seeds**0.5:.3f} | {together:.2f} | {s:g} | {minutes:.1f}"
    return f"| {name} | {recipe.published} | {cells} |\n"


# %% The tables, in Markdown.
tables = []
for title, recipes in TABLES.items():
    seeds = 2 if options.quick else options.seeds or (5 if recipes is TABLE_9 else 3)
    rows = [row(name, recipes[name], seeds) for name in recipes if name in options.names or not options.names]
    heads = f"{title} | published | accuracy in % | its error | together | s | minutes"
    tables.extend([f"| {heads} |\n|{'---|' * 7}\n{''.join(rows)}"] * bool(rows))
print("\n".join(tables), end="")
if options.table:
    before, _, after = options.table.read_text(encoding="utf-8").split(MARK)
    options.table.write_text(MARK.join((before, "\n".join(["", *tables, ""]), after)), encoding="utf-8")
