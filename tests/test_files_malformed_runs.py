"""Runs' files whose sums are right, and whose record is that of no training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnn
from tests.model_files import GONE, Parts, apart, changed, deep, edited, refused, run, state

STATE = "must hold a state of training, got"
SIZES = f"{STATE} epoch, batch and best epoch"
MAKES = "must hold what makes a TrainState, got"
RECIPE = "must hold what makes a Recipe, got"
FIELDS = (
    "must have a record of batch, best_epoch, dtype, epoch, history, kind, made_on, optimizer_state, recipe, stopped, "
    "sums, and a dtype of floats, got …."
)
NONE = "the history is no list, or the sums are none."
HISTORY: list[dict[str, Any]] = apart(run()).record["history"]
EPOCHS = f"{STATE} a history of the epochs"
MOMENT = {"tensor": "optimizer_state.m"}

NO_M = "there is no tensor 'optimizer_state.m'."
OPTIMIZER = f"{RECIPE} TypeError: Recipe: `optimizer` must be an optimizer such as Adam(), got"
STEP = "AdamState: `step` must be an integer of at least 0, got"

RUNS: dict[str, tuple[dict[str, Any], str]] = {
    **{f"no {name}": ({name: GONE}, FIELDS) for name in ("recipe", "optimizer_state", "epoch", "batch", "sums")},
    **{f"no {name}": ({name: GONE}, FIELDS) for name in ("best_epoch", "history", "stopped", "dtype")},
    "one more field": ({"rng": 1}, FIELDS),
    "a model's field": ({"network": 1}, FIELDS),
    **{
        f"{name} {value!r}": ({name: value}, f"{SIZES} {[*shown]}.")
        for name, value, shown in [
            ("epoch", -1, (-1, 1, 2)), ("epoch", 1.5, (1.5, 1, 2)), ("epoch", 2.0, (2.0, 1, 2)),
            ("epoch", True, (True, 1, 2)), ("epoch", "3", ("3", 1, 2)), ("epoch", None, (None, 1, 2)),
            ("epoch", 2**64, (2**64, 1, 2)), ("batch", -1, (2, -1, 2)), ("batch", True, (2, True, 2)),
            ("batch", 1.0, (2, 1.0, 2)), ("batch", [1], (2, [1], 2)), ("batch", 2**64, (2, 2**64, 2)),
            ("best_epoch", 3, (2, 1, 3)), ("best_epoch", -1, (2, 1, -1)), ("best_epoch", None, (2, 1, None)),
        ]
    },
    "epoch 10**4000": ({"epoch": 10**4000}, f"{SIZES} [1000…0000, 1, 2]."),
    "epoch 0": ({"epoch": 0, "best_epoch": 0}, f"{EPOCHS} [1, 2] after epoch 0."),
    "epoch 3": ({"epoch": 3}, f"{EPOCHS} [1, 2] after epoch 3."),
    "epoch 10**9": ({"epoch": 10**9}, f"{EPOCHS} [1, 2] after epoch 1000000000."),
    "epoch 2**64 - 1": ({"epoch": 2**64 - 1}, f"{EPOCHS} [1, 2] after epoch 18446744073709551615."),
    "no epochs": ({"history": []}, f"{EPOCHS} [] after epoch 2."),
    "one epoch of two": ({"history": HISTORY[1:]}, f"{EPOCHS} [2] after epoch 2."),
    "an epoch twice": ({"history": [HISTORY[1]] * 2}, f"{EPOCHS} [2, 2] after epoch 2."),
    "epochs in another order": ({"history": HISTORY[::-1]}, f"{EPOCHS} [2, 1] after epoch 2."),
    "an epoch that is true": ({"history.0.epoch": True}, f"{EPOCHS} [True, 2] after epoch 2."),
    "an epoch that is a float": ({"history.1.epoch": 2.0}, f"{EPOCHS} [1, 2.0] after epoch 2."),
    **{
        f"a history that is {value!r}": ({"history": value, "epoch": 0, "best_epoch": 0}, f"{MAKES} TypeError: {NONE}")
        for value in (None, 0, "", {}, {"epoch": 1})
    },
    "a history of numbers": ({"history": [1, 2]}, f"{MAKES} AttributeError: 'int' object has no attribute 'items'."),
    "a history of lists": ({"history": [[1], [2]]}, f"{MAKES} AttributeError: 'list' object has no attribute 'items'."),
    "an epoch without a loss": ({"history.0.loss": GONE}, f"{MAKES} TypeError: …missing 1 required …'loss'."),
    "an epoch with more": ({"history.0.lr": 0.1}, f"{MAKES} TypeError: …unexpected keyword argument 'lr'."),
    "a loss that is a number of rows": ({"history.0.loss": 1}, f"{STATE} 1 among the sums and the history."),
    "a loss that is none": ({"history.0.loss": None}, f"{STATE} None among the sums and the history."),
    "a loss that is a text": ({"history.0.loss": "0.5"}, f"{STATE} '0.5' among the sums and the history."),
    "a loss that is a list": ({"history.0.loss": [0.5]}, f"{STATE} (0.5,) among the sums and the history."),
    "a loss that is a spec": ({"history.0.loss": {"spec": "Relu"}}, f"{STATE} Relu() among the sums and the history."),
    "a loss that is a tensor": ({"history.0.loss": MOMENT}, f"{MAKES} ValueError: {NO_M}"),
    "a share that is a number of rows": ({"history.0.accuracy": 1}, f"{STATE} 1 among the sums and the history."),
    "a share that is true": ({"history.1.val_accuracy": True}, f"{STATE} True among the sums and the history."),
    "seconds that are a number of them": ({"history.1.seconds": 1}, f"{STATE} 1 among the sums and the history."),
    **{
        f"sums that are {value!r}": ({"sums": value}, f"{MAKES} TypeError: {NONE}")
        for value in (None, 0.5, [3.0, 2.0, 1.0], {}, {"weight": 3.0}, {"weight": 3.0, "loss": 2.0, "rights": 1.0})
    },
    "a sum that is an integer": ({"sums.weight": 3}, f"{STATE} 3 among the sums and the history."),
    "a sum that is none": ({"sums.right": None}, f"{STATE} None among the sums and the history."),
    "a batch without a weight": ({"sums.weight": 0.0}, f"{STATE} batch 1 and a sum of weights of 0.0."),
    "a batch of NaN": ({"sums.weight": {"float": "nan"}}, f"{STATE} batch 1 and a sum of weights of nan."),
    "a weight without a batch": ({"batch": 0}, f"{STATE} batch 0 and a sum of weights of 3.0."),
    **{
        f"stopped {value!r}": ({"stopped": value}, f"{STATE} {value!r} for `stopped`.")
        for value in ("x", "", True, 0, ["epochs"], {"epochs": 1})
    },
    "a recipe that is a network": (
        {"recipe": apart(run()).record["recipe"]["network"]},
        f"{RECIPE} TypeError: load_run: `record` must be a Recipe, got a Network.",
    ),
    "a recipe of another network": (
        {"recipe.network": {"spec": "Relu"}}, f"{RECIPE} TypeError: Recipe: `network` must be a Network, got a Relu."
    ),
    "an optimizer that is none": (
        {"recipe.optimizer": None},
        f"{OPTIMIZER} None."
    ),
    "a schedule for an optimizer": (
        {"recipe.optimizer": {"spec": "Constant", "learning_rate": 0.1}},
        f"{OPTIMIZER} Constant(0.1).",
    ),
    "a rate below 0": (
        {"recipe.optimizer.learning_rate": -1}, f"{RECIPE} ValueError: Adam: `learning_rate` must be …, got -1."
    ),
    "a batch size of 0": (
        {"recipe.batch_size": 0}, f"{RECIPE} ValueError: Recipe: `batch_size` must be an integer of at least 1, got 0."
    ),
    "a seed of 2**64": ({"recipe.seed": 2**64}, f"{RECIPE} ValueError: Recipe: `seed` must be …."),
    "another monitor": ({"recipe.monitor": "val_f1"}, f"{RECIPE} ValueError: Recipe: `monitor` must be one of …."),
    "units that are others": (
        {"recipe.network.layers.0.units": 4},
        "must have layers.0.weight of float32 with shape (2, 4), got an array of float32 with shape (2, 3).",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_records_of_no_run(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    edits, message = RUNS[name]
    path.write_bytes(edited(run(), edits))
    refused(fnn.load_run, path, message)


OTHERS = "must have no other tensors, got ['optimizer_state.m', 'optimizer_state.v']."
FIELD = "optimizer_state.fields"
SHAPES = {"spec": "Shapes", "weight": [2, 3], "bias": [3]}


def _params(layout: Any) -> dict[str, Any]:
    vector, running = ({"tensor": f"optimizer_state.{name}"} for name in "mv")
    return {"optimizer_state": {"state": "Params", "fields": {"layout": layout, "vector": vector, "running": running}}}


def _layout(*layers: Any) -> dict[str, Any]:
    return {"spec": "Layout", "layers": [*layers]}


STATES: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({"optimizer_state": None}, OTHERS),
    "a number": ({"optimizer_state": 1}, OTHERS),
    "a list": ({"optimizer_state": []}, OTHERS),
    "a tensor": ({"optimizer_state": MOMENT}, "must have no other tensors, got ['optimizer_state.v']."),
    "another optimizer's": ({"optimizer_state": {"state": "SGDState", "fields": {"step": 1}}}, OTHERS),
    "another's with the same fields": (
        {"optimizer_state.state": "AMSGradState", f"{FIELD}.most": MOMENT}, f"{MAKES} ValueError: {NO_M}"
    ),
    "two moments that are one": ({f"{FIELD}.v": MOMENT}, f"{MAKES} ValueError: {NO_M}"),
    "a moment that is a weight": (
        {f"{FIELD}.m": {"tensor": "layers.0.bias"}}, f"{MAKES} ValueError: there is no tensor 'layers.0.bias'."
    ),
    "the moments changed for each other": (
        {f"{FIELD}.m": {"tensor": "optimizer_state.v"}, f"{FIELD}.v": {"tensor": 1}},
        f"{MAKES} ValueError: there is no tensor 1.",
    ),
    "a tensor that is a list": ({f"{FIELD}.m": {"tensor": []}}, f"{MAKES} TypeError: unhashable type: 'list'."),
    "a tensor that is an object": ({f"{FIELD}.m": {"tensor": {}}}, f"{MAKES} TypeError: unhashable type: 'dict'."),
    "a tensor and more": ({f"{FIELD}.m": {**MOMENT, "a": 1}}, f"{MAKES} ValueError: from_dict: `value` must have …."),
    "a moment that is a list": ({f"{FIELD}.m": [0.0] * 23}, f"{MAKES} TypeError: m is no array."),
    "a moment that is a number": ({f"{FIELD}.m": 0.0}, f"{MAKES} TypeError: m is no array."),
    "a moment that is none": ({f"{FIELD}.m": None}, f"{MAKES} TypeError: m is no array."),
    "a moment that is text": ({f"{FIELD}.m": ["", *[""] * 20_000, "x" * 20_000]}, f"{MAKES} TypeError: m is no array."),
    "a moment that is a record": ({f"{FIELD}.m": {"spec": "Adam"}}, f"{MAKES} TypeError: m is no array."),
    "a moment missing": ({f"{FIELD}.m": GONE}, f"{MAKES} TypeError: …missing 1 required …'m'."),
    "a moment more": ({f"{FIELD}.n": 1}, f"{MAKES} TypeError: …unexpected keyword argument 'n'."),
    "fields that are a list": ({FIELD: [1, 2]}, f"{MAKES} AttributeError: 'list' object has no attribute 'items'."),
    "fields that are none": ({FIELD: None}, f"{MAKES} AttributeError: 'NoneType' object has no attribute 'items'."),
    "no fields": ({FIELD: GONE}, f"{MAKES} ValueError: from_dict: `value` must have …."),
    **{
        f"step {step!r}": ({f"{FIELD}.step": step}, f"{MAKES} {kind}: {STEP} {shown}.")
        for step, kind, shown in [
            (-1, "ValueError", -1), (1.0, "TypeError", 1.0), (True, "TypeError", True), ("3", "TypeError", "'3'"),
            (None, "TypeError", None), ([7], "TypeError", "(7,)"),
        ]
    },
    "step 2**64": (
        {f"{FIELD}.step": 2**64},
        f"{STATE} AdamState(step=18446744073709551616, m=float32[23], v=float32[23]) as the state of Adam.",
    ),
    "the spec": ({"optimizer_state": {"spec": "Adam"}}, OTHERS),
    "an unknown state": (
        {"optimizer_state.state": "ADAMState"},
        "must need no class that is not given, got ADAMState. Give `custom=(ADAMState,)`.",
    ),
    "a state that is a spec": (
        {"optimizer_state.state": "Adam"}, "must need no class that is not given, got Adam. Give `custom=(Adam,)`."
    ),
    "a run": (
        {"optimizer_state.state": "TrainState"},
        "must need no class that is not given, got TrainState. Give `custom=(TrainState,)`.",
    ),
    "State itself": (
        {"optimizer_state.state": "State"}, "must need no class that is not given, got State. Give `custom=(State,)`."
    ),
    "a name that is a list": ({"optimizer_state.state": ["AdamState"]}, f"{MAKES} TypeError: unhashable type: 'list'."),
    "a name that is none": ({"optimizer_state.state": "os.system"}, f"{MAKES} KeyError: 'os.system'."),
    "parameters": (_params(_layout()), f"{MAKES} ValueError: Params: `vector` must have shape (0,), got (23,)."),
    "parameters of other shapes": (
        _params(_layout(SHAPES)), f"{MAKES} ValueError: Params: `vector` must have shape (9,), got (23,)."
    ),
    **{
        f"parameters in {name}": (_params(layout), f"{MAKES} TypeError: the layout is none.")
        for name, layout in {
            "no layout": None, "a list": [SHAPES], "another spec": {"spec": "Relu"},
            "shapes that are none": _layout(1), "shapes of another kind": _layout({"spec": "Dropout", "rate": 0.5}),
            "a shape that is a number": _layout({**SHAPES, "weight": 6}),
            "a shape of texts": _layout({**SHAPES, "weight": [10**8, "abc"]}),
            "a shape of lists": _layout({**SHAPES, "weight": [10**8, [1, 2]]}),
            "a shape of floats": _layout({**SHAPES, "weight": [2.0, 3.0]}),
            "a shape below 0": _layout({**SHAPES, "weight": [-2, -3]}),
            "a huge shape": _layout({**SHAPES, "weight": [10**4000] * 20}),
            "100 dimensions": _layout({**SHAPES, "weight": [1] * 100}),
        }.items()
    },
    "a state 200 deep": (
        {f"{FIELD}.step": deep(200)}, f"{MAKES} TypeError: AdamState: `step` must be an integer of at least 0, got …."
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_states_of_no_optimizer(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    edits, message = STATES[name]
    path.write_bytes(edited(run(), edits))
    refused(fnn.load_run, path, message)


def _moment(dtype: str, shape: list[int], size: int) -> Callable[[Parts], object]:
    def change(parts: Parts) -> None:
        parts.add("own", dtype, shape, bytes(size))
        parts.record["optimizer_state"]["fields"]["m"] = {"tensor": "own"}
        begin, end = parts.entries.pop("optimizer_state.m")["data_offsets"]
        parts.buffer = parts.buffer[:begin] + parts.buffer[end:]
        for entry in parts.entries.values():
            entry["data_offsets"] = [at - (end - begin) * (at >= end) for at in entry["data_offsets"]]

    return change


@pytest.mark.parametrize(
    "moment",
    [
        ("F32", [22], 88, "float32[22]"), ("F32", [24], 96, "float32[24]"), ("F32", [23, 1], 92, "float32[23, 1]"),
        ("F32", [], 4, "0.0"), ("F64", [23], 184, "float64[23]"), ("I32", [23], 92, "int32[23]"),
        ("F16", [23], 46, "float16[23]"), ("BOOL", [23], 23, "bool[23]"), ("F32", [0], 0, "[]"),
    ],
)  # fmt: skip
def test_moments_of_another_length_or_dtype(tmp_path: Path, moment: tuple[str, list[int], int, str]) -> None:
    path = tmp_path / "file"
    path.write_bytes(changed(run(), _moment(*moment[:3])))
    refused(fnn.load_run, path, f"{STATE} AdamState(step=7, m={moment[3]}, v=float32[23]) as the state of Adam.")


@pytest.mark.parametrize("optimizer", [fnn.SGD(0.1), fnn.Momentum(0.1), fnn.RMSProp(), fnn.AdamW(), fnn.Lion()])
def test_a_state_of_another_optimizer_is_refused(tmp_path: Path, optimizer: Any) -> None:
    path, kind = tmp_path / "file", type(optimizer)
    path.write_bytes(edited(run(), {"recipe.optimizer": fnn.to_dict(optimizer)}))
    if kind is fnn.AdamW:  # whose state it is as well
        assert fnn.load_run(path).recipe.optimizer == optimizer
    else:
        refused(
            fnn.load_run,
            path,
            f"{STATE} AdamState(step=7, m=float32[23], v=float32[23]) as the state of {kind.__name__}.",
        )


def test_no_number_is_smuggled_in_as_a_list(tmp_path: Path) -> None:
    """Of a float64 network, where an array of a list would have the dtype: NaN would not be seen."""
    path = tmp_path / "file"

    def change(parts: Parts) -> None:
        _moment("F64", [0], 0)(parts)
        del parts.entries["own"]
        parts.record["optimizer_state"]["fields"]["m"] = [{"float": "nan"}] * 23

    path.write_bytes(changed(run(dtype=np.float64), change))
    refused(fnn.load_run, path, f"{MAKES} TypeError: m is no array.")


def test_going_on_from_the_largest_numbers_there_are(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(edited(run(), {f"{FIELD}.step": 2**64 - 1, "batch": 2**64 - 1, "recipe.seed": 2**64 - 1}))
    loaded = fnn.load_run(path)
    assert loaded.key == fnn.Key(2**64 - 1, 2, 2**64 - 1)
    batch = fnn.Batch(state().params[0].weight[:, :2], [0, 1], key=loaded.key)
    assert fnn.train_step(loaded, batch).optimizer_state.step == 2**64


def test_what_a_run_says_that_it_was_made_on_is_shown_as_text(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(edited(run(), {"made_on.numpy": "\x1b[2J\n", "made_on.more": "x" * 100_000}))
    with pytest.warns(
        RuntimeWarning, match=r"\(numpy \\x1b\[2J\\n, here .+; more x+…x+, here not set\)\. What"
    ) as caught:
        fnn.load_run(path)
    assert len(str(caught[0].message)) < 3500
    assert str(caught[0].message).isprintable()
