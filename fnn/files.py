"""Model files: a network and its parameters, or a whole run, in one file that is data and nothing else."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import numpy as np

from fnn import checks, recordfile
from fnn.arrays import freeze
from fnn.layers import BatchNorm
from fnn.network import Network
from fnn.params import Params
from fnn.passes import check_model
from fnn.provenance import differences, made_on
from fnn.runs import EpochRecord, Recipe, Sums, TrainState
from fnn.states import Tensors, own_classes, plain, plain_spec, plain_state, restored, run_fault, unknown
from fnn.tensorfile import MAX_BYTES, all_finite, printable, refusal, said

Path = str | os.PathLike[str]
FIELDS = {  # of the record in a file's metadata
    "model": {"kind", "dtype", "made_on", "network"},
    "run": {"kind", "dtype", "made_on", "recipe", "optimizer_state", "epoch", "batch", "sums"}
    | {"best_epoch", "history", "stopped"},
}

OPTIONAL = {"model": set[str](), "run": {"estimator"}}  # what `store_run` may be told besides


def save(
    path: Path, network: Network, params: Params, *, custom: Sequence[type] = (), allow_nonfinite: bool = False
) -> None:
    """Save a network and its parameters in one file, which `load` reads, and any tool that reads safetensors.

    The tensors are named layers.0.weight, layers.0.bias, …, in the shapes of `Params`; the network, the version of
    the format, sha256 sums and what it was made on stand as JSON in the metadata, under "fnn".

    The file is replaced at once: a reader finds the old or the new one whole, whatever happens meanwhile, and when
    this returns the new one outlasts a loss of power. Until then both need room. A symbolic link stays one, a hard
    link does not; the mode is by the umask. A kill, or a loss of power then or soon after, may leave a file
    .fnn-….tmp beside it, which can be deleted.

    Args:
        path: of the file; its folder must be there. Any name; other tools expect one in .safetensors.
        network: the spec.
        params: its numbers.
        custom: the classes of the records in the network that are one's own, such as an activation's.
        allow_nonfinite: whether NaN and infinity are saved too.

    Raises:
        OSError: where the file cannot be written; it names the path, and what was there before is there still.
        TypeError, ValueError: for params of another network, a class that `custom` lacks, NaN or infinity.

    >>> import fnn, pathlib, tempfile
    >>> network = fnn.mlp(4, 3)
    >>> params = fnn.init_params(network, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     fnn.save(path, network, params)
    ...     again, loaded = fnn.load(path)
    >>> again == network, fnn.digest(loaded) == fnn.digest(params)
    (True, True)
    """
    own = own_classes("save", custom)
    tensors = _named("save", "params", network, params, "")
    record = {"kind": "model", "dtype": str(params.dtype), "network": plain_spec("save", network, own)}
    _checked("save", tensors, record, own, allow_nonfinite)
    recordfile.store("save", os.fsdecode(path), tensors, record)


def load(
    path: Path, *, custom: Sequence[type] = (), allow_nonfinite: bool = False, max_bytes: int = MAX_BYTES
) -> tuple[Network, Params]:
    """The network and the parameters in a file that `save` made: to the last bit what was saved.

    Nothing in the file is run, and nothing is allocated that its size does not allow, whoever made it.

    Args:
        path: of the file.
        custom: the classes of the records in the network that are one's own, as they were given to `save`.
        allow_nonfinite: whether NaN and infinity are let in.
        max_bytes: a larger file is refused.

    Raises:
        OSError: where there is no file, or it may not be read.
        ModelFileError: for whatever else is not a whole and unchanged file of `save`.
        TypeError, ValueError: for `custom` or `max_bytes` that are none.
    """
    own = own_classes("load", custom)
    path = os.fsdecode(path)
    tensors, record = _load("load", path, "model", own, allow_nonfinite, max_bytes)
    with making("load", path, "Network"):
        network: Network = _spec("load", record["network"], own, Network)
    params = _params("load", path, network, record["dtype"], tensors, "")
    _all_used("load", path, tensors)
    return network, params


def save_run(path: Path, run: TrainState, *, custom: Sequence[type] = (), allow_nonfinite: bool = False) -> None:
    """Save a whole run, at any step, in one file; `load_run` gives it back, to go on with.

    As `save` does it; the best parameters and the optimizer's state are tensors too (best.layers.0.weight, …,
    optimizer_state.m, …), and the recipe with the seed, epoch, batch, sums and history are in the JSON.

    Args:
        path: as in `save`.
        run: from `start`, `train_step`, `end_epoch`, `train` or `fit`.
        custom: the classes of all records in the run that are one's own, an optimizer's state too.
        allow_nonfinite: whether NaN and infinity are saved too.

    Raises:
        OSError, TypeError, ValueError: as `save`.

    >>> import fnn, numpy as np, pathlib, tempfile
    >>> network, data = fnn.mlp(2, 2), fnn.Dataset(np.eye(2), np.arange(2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "run.safetensors")
    ...     run = fnn.fit(network, data, epochs=3, on_epoch=lambda run: fnn.save_run(path, run))
    ...     fnn.digest(fnn.load_run(path)) == fnn.digest(run)
    True
    """
    store_run("save_run", path, run, custom, allow_nonfinite)


def store_run(
    where: str, path: Path, run: TrainState, custom: Sequence[type], allow_nonfinite: bool, **more: dict[str, Any]
) -> None:
    """A run's file, whose record may hold more than the run."""
    own = own_classes(where, custom)
    checks.exactly(where, "run", run, TrainState, "Of another, not all would come back.")
    network = run.recipe.network
    tensors = _named(where, "run.params", network, run.params, "")
    tensors |= _named(where, "run.best", network, run.best, "best.")
    if fault := run_fault(run):
        raise checks.problem(ValueError, where, "run", "must be a state of training", fault)
    record = {
        "kind": "run",
        "dtype": str(run.params.dtype),
        "recipe": plain_spec(where, run.recipe, own),
        "optimizer_state": plain_state(where, "optimizer_state", run.optimizer_state, tensors, own),
        "epoch": run.epoch,
        "batch": run.batch,
        "sums": _numbers(run.sums),
        "best_epoch": run.best_epoch,
        "history": [_numbers(each) for each in run.history],
        "stopped": run.stopped,
        **more,
    }
    _checked(where, tensors, record, own, allow_nonfinite)
    recordfile.store(where, os.fsdecode(path), tensors, record)


def load_run(
    path: Path, *, custom: Sequence[type] = (), allow_nonfinite: bool = False, max_bytes: int = MAX_BYTES
) -> TrainState:
    """The run in a file that `save_run` made, to go on with: the same bits as if it had never stopped.

    On another kind of processor, another BLAS or another of its threads, or with other versions, the last bits of
    what follows can differ, and a warning says what is not as it was.

    Args:
        path: of the file.
        custom: as in `load`, and as it was given to `save_run`.
        allow_nonfinite: as in `load`.
        max_bytes: as in `load`.

    Raises:
        OSError, ModelFileError, TypeError, ValueError: as `load`.
    """
    return fetch_run("load_run", path, custom, allow_nonfinite, max_bytes)[0]


def fetch_run(
    where: str, path: Path, custom: Sequence[type], allow_nonfinite: bool, max_bytes: int
) -> tuple[TrainState, dict[str, Any]]:
    """The run in a file, and the record there."""
    path = os.fsdecode(path)
    own = own_classes(where, custom)
    tensors, record = _load(where, path, "run", own, allow_nonfinite, max_bytes)
    with making(where, path, "Recipe"):
        recipe: Recipe = _spec(where, record["recipe"], own, Recipe)
    params, best = (_params(where, path, recipe.network, record["dtype"], tensors, part) for part in ("", "best."))
    with making(where, path, "TrainState"):
        run = _run(recipe, params, best, record, tensors, own)
        fault = run_fault(run)
    _all_used(where, path, tensors)
    if fault:
        raise refusal(where, path, "must hold a state of training", fault)
    others = "; ".join(differences(record["made_on"], made_on()))
    if others:
        message = f"{where}: {path} was made with another machine, versions or threads ({printable(others, 3000)})"
        warnings.warn(f"{message}. What follows can differ in its last bits.", RuntimeWarning, stacklevel=3)
    return run, record


# What a file holds.


def _spec(where: str, value: Any, own: dict[str, type], kind: type) -> Any:
    """The network or the recipe that `value` says, with its layout, which a user's own layers make too."""
    spec = restored(value, {}, own)
    checks.instance(where, "record", spec, kind)
    _ = getattr(spec, "network", spec).layout.tensors
    return spec


def _run(
    recipe: Recipe, params: Params, best: Params, record: dict[str, Any], tensors: Tensors, own: dict[str, type]
) -> TrainState:
    kinds = type(record["history"]), type(record["sums"])
    if kinds != (list, dict) or not {"weight", "loss", "right"} <= record["sums"].keys() <= attrs.asdict(Sums()).keys():
        raise TypeError("the history is no list, or the sums are none")
    epoch, batch, best_epoch, stopped = (record[name] for name in ("epoch", "batch", "best_epoch", "stopped"))
    state = restored(record["optimizer_state"], tensors, own)
    sums, *history = (
        kind(**{name: restored(part, {}, {}) for name, part in value.items()})
        for kind, value in [(Sums, record["sums"]), *((EpochRecord, each) for each in record["history"])]
    )
    return TrainState(recipe, params, state, epoch, batch, sums, best, best_epoch, tuple(history), stopped)


def _named(where: str, name: str, network: Network, params: Params, prefix: str) -> Tensors:
    """The tensors of the parameters by their names; refused unless they are the network's."""
    check_model(where, network, params)
    checks.exactly(where, name, params, Params, "Of another, not all would come back.")
    every = (array for p in params for array in p if array.shape != (0,))
    tensors = {prefix + each: array for each, array in zip(_names(params), every, strict=True)}
    if fault := _negative_variance(network, tensors):
        raise checks.problem(ValueError, where, name, *fault)
    return tensors


def _names(params: Network | Params) -> list[str]:
    """The names of the tensors: layers.0.weight, layers.0.bias, …."""
    return [name.replace("[", ".").replace("]", "") for name, _ in params.layout.tensors]


def _numbers(record: EpochRecord | Sums) -> dict[str, Any]:
    return {
        name: plain("save_run", name, value, {}, {})
        for name, value in attrs.asdict(record).items()
        if value is not None
    }


def _checked(where: str, tensors: Tensors, record: dict[str, Any], own: dict[str, type], allow_nonfinite: bool) -> None:
    """Refuse a class that is not given, and numbers that are not finite."""
    missing, fix = _missing(record, own)
    if missing:
        rule = "must have the class of each record that is not fnn's"
        raise checks.problem(TypeError, where, "custom", rule, f"none for {missing}", fix)
    if not allow_nonfinite:
        for name, array in tensors.items():
            checks.finite(where, name, array, fix="`allow_nonfinite=True` saves it all the same.")


def _missing(record: dict[str, Any], own: dict[str, type]) -> tuple[str, str]:
    """The classes that are neither fnn's nor given, and what to do."""
    names = sorted(set(unknown(record, own)))
    every = [*own, *names]
    return ", ".join(names), f"Give `custom=({', '.join(every)}{',' * (len(every) == 1)})`."


def _load(
    where: str, path: str, kind: str, own: dict[str, type], allow_nonfinite: bool, max_bytes: int
) -> tuple[Tensors, dict[str, Any]]:
    """What is in a file, after all that can be checked before it is made a network or a run."""
    tensors, record = recordfile.fetch(where, path, max_bytes)
    if record.get("kind") != kind:
        fixes = {"run": "Read it by `fnn.load_run`; it has `.params` and `.best`.", "model": "Read it by `fnn.load`."}
        fix = fixes.get(str(record.get("kind")), "")
        raise refusal(where, path, f"must hold a {kind}", checks.show(record.get("kind")), fix)
    if record.keys() - OPTIONAL[kind] != FIELDS[kind] or record["dtype"] not in ("float32", "float64"):
        rule = f"must have a record of {', '.join(sorted(FIELDS[kind]))}, and a dtype of floats"
        raise refusal(where, path, rule, checks.show(record))
    missing, fix = _missing(record, own)
    if missing:
        raise refusal(where, path, "must need no class that is not given", missing, fix)
    if not allow_nonfinite:
        all_finite(where, path, tensors)
    return tensors, record


@contextmanager
def making(where: str, path: str, kind: str) -> Iterator[None]:
    """What is raised while a `kind` is made of what is in a file is the file's fault."""
    try:
        yield
    except Exception as error:  # whatever a user's class raises
        raise refusal(where, path, f"must hold what makes a {kind}", said(error)) from error


def _params(where: str, path: str, network: Network, dtype: str, tensors: Tensors, prefix: str) -> Params:
    """The parameters, taken out of the tensors."""
    places = {}
    for name, (_, shape) in zip(_names(network), network.layout.tensors, strict=True):
        array = tensors.pop(prefix + name, None)
        if array is None or (array.shape, str(array.dtype)) != (tuple(shape), dtype):
            got = "none" if array is None else checks.show(array)
            raise refusal(where, path, f"must have {prefix}{name} of {dtype} with shape {shape}", got)
        places[prefix + name] = array
    if fault := _negative_variance(network, places):
        raise refusal(where, path, *fault)
    vector, running = np.empty(network.layout.size, dtype), np.empty(network.layout.running_size, dtype)
    views = [view for p in network.layout.views(vector, running) for view in p if view.shape != (0,)]
    for view, array in zip(views, places.values(), strict=True):
        view[...] = array
    return Params(network.layout, freeze(vector), freeze(running))


def _negative_variance(network: Network, tensors: Tensors) -> tuple[str, str] | None:
    """The rule that a variance of batch norm's breaks, and by what; a user's own layer may have anything there."""
    for name, array in tensors.items():
        _, index, part = name.rsplit(".", 2)
        if part == "variance" and isinstance(network.layers[int(index)], BatchNorm) and (array < 0).any():
            return f"must have {name} of at least 0", str(array[array < 0].min())
    return None


def _all_used(where: str, path: str, tensors: Tensors) -> None:
    if tensors:
        raise refusal(where, path, "must have no other tensors", checks.show(sorted(tensors)))
