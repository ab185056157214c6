"""Whole files of every kind, and changes in them at random, for `tests.fuzzing`."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np
from safetensors.numpy import save as plain_save

import fnn
from tests import resuming
from tests.model_files import Parts, apart, canonical, framed, model, record_text, run, saved, together
from tests.own import Quartic, Squareplus

Change = Callable[[Random, bytes, bytes], bytes]
CUSTOM = (*resuming.CUSTOM, Squareplus, Quartic)
WORDS = [0, 1, 2, 7, 8, 10, 127, 128, 255, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 64, 1.0, -0.0, 0.5, 1e-300, 1e300, 2**31, 2**60, 2**63, 2**64, 10**4000),
    *("", "x", "float32", "float64", "F32", "F64", "BF16", "BOOL", "U8", "spec", "state", "\ud800", "\x1b", "a" * 1000),
    *([], {}, [0], [0, 0], [[]], {"": 0}, {"tensor": "optimizer_state.m"}, {"float": "nan"}, {"float": "inf"}),
    *({"spec": "Dense", "units": 3}, {"spec": "Layout", "layers": []}, {"spec": "Shapes", "weight": [10**9, "abc"]}),
    *({"state": "SGDState", "fields": {"step": 0}}, {"state": "Params", "fields": {}}, {"spec": "Squareplus"}),
    *({"state": "Squareplus", "fields": {}}, {"state": "AverageState", "fields": {"count": 1}}, float("nan"), 1e999),
]
HEADERS = [
    "'<f4'",
    "'>i8'",
    "'|O'",
    "'|b1'",
    "'<c8'",
    "(2,)",
    "()",
    "(-1,)",
    "(True,)",
    "(0, 2**70)",
    "True",
    "1L",
    "[",
    "{",
]


def seeds() -> dict[str, list[bytes]]:
    """Whole files of every kind, by the names of their loaders."""
    own = fnn.Network(3, (fnn.Dense(4, Squareplus()), fnn.Dropout(0.1), fnn.LayerNorm(), fnn.Dense(2)), Quartic())
    models = [model(), model(np.float64), saved(fnn.save, own, fnn.init_params(own, seed=0), custom=CUSTOM)]
    runs = [run(), run(dtype=np.float64), run(fnn.SGD(0.1)), run(fnn.AMSGrad()), run(fnn.Lion(fnn.Cosine(0.1, 9)))]
    runs.append(saved(fnn.save_run, fnn.start(fnn.mlp(2, 2), optimizer=fnn.Momentum(0.1))))
    last = resuming.OPTIMIZERS[-1]
    steps = fnn.train(resuming.NETWORK, resuming.DATA, optimizer=last, batch_size=10, every="step")
    runs.append(saved(fnn.save_run, next(each for each in steps if each.batch == 2), custom=CUSTOM))
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(3, bool), "c": np.zeros((0, 2), "<f2"), "d": np.array(7)}
    files = [plain_save(arrays), framed(json.dumps({"a": _entry("BF16", 2)}).encode(), bytes(4)), plain_save({})]
    for kind in (np.savez, np.savez_compressed):
        kind(file := io.BytesIO(), **arrays)  # type: ignore[arg-type]
        files.append(file.getvalue())
    for array in (arrays["a"], np.asfortranarray(arrays["a"].astype(">f4")), arrays["d"]):
        np.save(file := io.BytesIO(), array)
        files.append(file.getvalue())
    return {"load": models, "load_run": runs, "load_arrays": files}


def _entry(dtype: str, n: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [n], "data_offsets": [0, 2 * n]}


# Changes.


def change(random: Random, loader: str, data: bytes, other: bytes) -> bytes:
    """The data of a file for that loader with one to four changes; `other` is that of another."""
    for _ in range(random.choice([1, 1, 1, 2, 2, 3, 4])):
        inner: Change = _parts
        if loader == "load_arrays":
            inner = _npz if data.startswith(b"PK") else _npy if data.startswith(b"\x93") else _header
        try:
            data = (_bytes if random.random() < 0.3 else inner)(random, data, other)
        except Exception:  # an earlier change left no such parts
            data = _bytes(random, data, other)
    return data


def _bytes(random: Random, data: bytes, other: bytes) -> bytes:
    at, to = sorted(random.randint(0, len(data)) for _ in range(2))
    if random.random() < 0.7:
        to = min(to, at + random.choice([1, 2, 4, 8, 16]))
    kind = random.randrange(7)
    if kind == 0 and data:
        at = min(at, len(data) - 1)
        return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        size = random.choice([1, 2, 4, 8])
        word = random.choice(WORDS).to_bytes(9, "little")[:size]
        return data[:at] + word + data[at + size :]
    if kind == 2:
        return data[:at] + data[to:]
    if kind == 3:
        return data[:to] + data[at:]
    if kind == 4:
        return data[:at] + random.randbytes(random.randint(1, 8)) + data[at:]
    if kind == 5:
        return data[:at] + other[random.randint(0, len(other)) :]
    return data[:at] if random.random() < 0.5 else data[at:]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each dictionary or list in a value, with a key or an index of it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _tree(random: Random, tree: Any, other: Any) -> None:
    """One change in a value of JSON."""
    inside, key = random.choice(list(_places(tree)))
    kind = random.randrange(8)
    if kind == 0:
        del inside[key]
    elif kind == 1 and isinstance(inside, dict):
        name = random.choice([f"{key}_", "spec", "state", "fields", "tensor", "float", "step", "self"])
        inside[name] = inside.pop(key)
    elif kind == 2:
        there, name = random.choice(list(_places(other)))
        inside[key] = json.loads(json.dumps(there[name]))
    elif kind == 3:
        there, name = random.choice(list(_places(tree)))
        value, inside[key] = inside[key], json.loads(json.dumps(there[name]))
        there[name] = value
    elif kind == 4:
        old = inside[key]
        inside[key] = random.choice([[old], {"spec": old}, [old] * 3, {"a": old}])
    elif kind == 5 and isinstance(inside[key], int | float):
        inside[key] = random.choice(
            [inside[key] + 1, inside[key] - 1, -inside[key], float(inside[key]), 2 * inside[key]]
        )
    elif kind == 6 and isinstance(inside, list):
        inside.insert(key, inside[key])
    else:
        inside[key] = copy.deepcopy(random.choice(VALUES))


def _parts(random: Random, data: bytes, other: bytes) -> bytes:
    """Changes in what a model's file is of; the sums are right again."""
    parts, theirs = apart(data), apart(other)
    if random.random() < 0.7:
        _tree(random, parts.record, theirs.record)
    if random.random() < 0.2:
        _tree(random, parts.entries, theirs.entries)
    if random.random() < 0.2:
        _swap(random, parts)
    if random.random() < 0.2 and parts.buffer:
        values = np.frombuffer(parts.buffer, "<f4").copy() if len(parts.buffer) % 4 == 0 else np.empty(0, "<f4")
        if len(values):
            values[random.randrange(len(values))] = random.choice([np.nan, np.inf, -1, 0, 1e-45, 3e38])
            parts.buffer = values.tobytes()
    if random.random() < 0.05:
        parts.add(random.choice(["more", "best.x", *parts.entries]), random.choice(["F32", "U8", "BF16"]), [0], b"")
    if random.random() < 0.05:
        parts.record[random.choice(list(parts.record))] = "?"
        depth = random.choice([10, 200, 400, 450, 480, 900, 950, 980, 2000])
        before, behind = random.choice([("[", "]"), ('{"a":', "}"), ('{"fields":{"step":', '},"state":"SGDState"}')])
        return together(parts, record_text(parts, before * depth + "0" + behind * depth))
    return together(parts)


def _swap(random: Random, parts: Parts) -> None:
    one, two = (random.choice(list(parts.entries)) for _ in range(2))
    parts.entries[one], parts.entries[two] = parts.entries[two], parts.entries[one]


def _header(random: Random, data: bytes, other: bytes) -> bytes:
    """Changes in the header of a safetensors file."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    _tree(random, header, {"a": [2, 3, 2**60], "b": "BF16"})
    return framed(canonical(header).encode(), data[start:])


def _npy(random: Random, data: bytes, other: bytes) -> bytes:
    """Changes in the header of a .npy file."""
    end = data.index(b"\n") + 1
    text, rest = data[10:end].decode("latin-1"), data[end:]
    words = [word for word in text.replace(",", " ").replace(":", " ").split() if word not in "{}"]
    text = text.replace(random.choice(words), random.choice([*HEADERS, *map(str, WORDS), ""]), 1)
    version = random.choice([data[6:8], b"\1\0", b"\2\0"])
    return (
        data[:6]
        + version
        + len(text).to_bytes(2 if version == b"\1\0" else 4, "little")
        + text.encode("latin-1")
        + rest
    )


def _npz(random: Random, data: bytes, other: bytes) -> bytes:
    """Changes in a member of a .npz file, whose sum is right again, or in the directory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = random.choice(list(members))
    inner = members.pop(name)
    members[random.choice([name, name, name, "a.npy", "x", "b/"])] = random.choice([_npy, _bytes])(random, inner, other)
    kind = random.choice(
        [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    )
    with zipfile.ZipFile(file := io.BytesIO(), "w", kind) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    made = file.getvalue()
    if random.random() < 0.5:
        at = made.rindex(b"PK\1\2") + random.randrange(60)
        made = made[:at] + random.choice(WORDS).to_bytes(8, "little")[: random.choice([1, 2, 4])] + made[at + 4 :]
    return made
