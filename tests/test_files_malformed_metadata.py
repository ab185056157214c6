"""Model files of which something is not as it was saved: cut, changed, or with metadata that is not fnn's."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fnn
from tests.model_files import apart, framed, model, record_text, refused, run, sums, together
from tests.stand_ins import exactly

KIND = "must be a safetensors file, with a header of 2 to"
ENTRY = {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}
SUMS = "must have the sha256 sums of what is in it, got others. It was changed or damaged after it was saved."
RECORD = "must have as its record one JSON object in UTF-8, got"
ALONE = "must have the metadata 'fnn' alone, got"
OTHERS = "The arrays of other files are read by `load_arrays`."


def test_cut_short_anywhere(tmp_path: Path) -> None:
    path, data = tmp_path / "file", model()
    start = 8 + int.from_bytes(data[:8], "little")
    for length in range(len(data)):
        path.write_bytes(data[:length])
        if length < 10:
            message = f"must have at least 10 bytes, got {length}."
        elif length < start:
            message = f"{KIND} {length - 8:,} bytes, got a length of {start - 8:,}."
        else:
            message = f"must have {len(data) - start} bytes after its header, got {length - start}. It is cut short."
        with pytest.raises(fnn.ModelFileError, match=exactly(f"load: `{path}` {message}")):
            fnn.load(path)


@pytest.mark.parametrize("more", [b"\0", b"x" * 1000])
def test_more_behind_it(tmp_path: Path, more: bytes) -> None:
    path, data = tmp_path / "file", run()
    path.write_bytes(data + more)
    size = len(apart(data).buffer)
    refused(fnn.load_run, path, f"must have {size} bytes after its header, got {size + len(more):,}.")


def test_a_bit_flipped_anywhere(tmp_path: Path) -> None:
    """Refused, or it says the same: 1E-05 is 1e-05."""
    path, data = tmp_path / "file", model()
    path.write_bytes(data)
    digest, same = fnn.digest(fnn.load(path)), 0
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            again = fnn.load(path)
        except fnn.ModelFileError as error:
            assert str(error).startswith(f"load: `{path}` must ")  # noqa: PT017  # either outcome is right
        else:
            assert fnn.digest(again) == digest
            same += 1
    assert same < 3


def _swapped(data: bytes, one: bytes, other: bytes) -> bytes:
    """Two names of the header changed for each other."""
    assert data.count(one) == data.count(other) == 1
    return re.sub(b"%b|%b" % (one, other), lambda found: other if found[0] == one else one, data)


def _with_sums(data: bytes, wrong: Callable[[dict[str, str]], Any]) -> bytes:
    parts = apart(data)
    return together(parts, json.dumps({**parts.record, "sha256": wrong(sums(parts))}))


def _first_bit(data: bytes) -> bytes:
    at = len(data) - len(apart(data).buffer)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


CHANGED: dict[str, Callable[[bytes], bytes]] = {
    "the first bit of the tensors": _first_bit,
    "the last bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "a digit of the record": lambda data: data.replace(rb"\"seed\":0", rb"\"seed\":1"),
    "a text of the record": lambda data: data.replace(rb"\"kind\":", rb"\"kino\":"),
    "a letter of a tensor's name": lambda data: data.replace(b'"layers.0.bias":', b'"layers.0.bios":'),
    "the names of tensors of one shape": lambda data: _swapped(data, b'"layers.0.bias":', b'"layers.1.mean":'),
    "the best for the last": lambda data: _swapped(data, b'"layers.0.weight":', b'"best.layers.0.weight":'),
    "a shape of as many numbers": lambda data: data.replace(b'"shape":[2,3]', b'"shape":[3,2]', 1),
    "a dtype of as many bytes": lambda data: data.replace(b'"dtype":"F32"', b'"dtype":"I32"', 1),
    "no sums": lambda data: together(apart(data), json.dumps(apart(data).record)),
    "one sum": lambda data: _with_sums(data, lambda right: {"tensors": right["tensors"]}),
    "another sum of the tensors": lambda data: _with_sums(data, lambda right: {**right, "tensors": "0" * 64}),
    "another sum of the rest": lambda data: _with_sums(data, lambda right: {**right, "rest": "0" * 64}),
    "one more sum": lambda data: _with_sums(data, lambda right: {**right, "more": ""}),
    "sums in capitals": lambda data: _with_sums(data, lambda right: {name: right[name].upper() for name in right}),
    "sums changed for each other": lambda data: _with_sums(
        data, lambda right: {"tensors": right["rest"], "rest": right["tensors"]}
    ),
    "sums that are none": lambda data: _with_sums(data, lambda right: None),
    "sums that are true": lambda data: _with_sums(data, lambda right: True),
    "sums that are a list": lambda data: _with_sums(data, lambda right: [*right.values()]),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_is_not_as_it_was_saved(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(CHANGED[name](run()))
    assert path.read_bytes() != run()
    refused(fnn.load_run, path, SUMS)


def _metadata(**texts: str) -> bytes:
    return framed(json.dumps({"__metadata__": texts, "a": ENTRY}).encode(), bytes(2))


def _twice(before: str) -> bytes:
    """The record with a name twice, behind `before`; the sums are those of what is read where the last one counts."""
    parts = apart(run())
    whole = record_text(parts)
    assert before in whole
    name = whole.split(before, 1)[1].split(":")[0]
    return together(parts, whole.replace(before, f"{before}{name}:0,", 1))


TEXTS: dict[str, tuple[bytes, str]] = {
    "no metadata": (framed(json.dumps({"a": ENTRY}).encode(), bytes(2)), f"{ALONE} []. {OTHERS}"),
    "empty metadata": (_metadata(), f"{ALONE} []. {OTHERS}"),
    "PyTorch's metadata": (_metadata(format="pt"), f"{ALONE} ['format']. {OTHERS}"),
    "more metadata": (_metadata(fnn="{}", format="np"), f"{ALONE} ['fnn', 'format']. {OTHERS}"),
    "another's metadata": (_metadata(FNN="{}"), f"{ALONE} ['FNN']. {OTHERS}"),
    "an empty record": (_metadata(fnn=""), f"{RECORD} '' at its beginning."),
    "a record that is a list": (_metadata(fnn="[1]"), f"{RECORD} '[' at its beginning."),
    "a record that is none": (_metadata(fnn="null"), f"{RECORD} 'n' at its beginning."),
    "a record that is cut": (
        _metadata(fnn='{"format": 1'), f"{RECORD} Expecting ',' delimiter: line 1 column 13 (char 12)."
    ),
    "NaN in the record": (_metadata(fnn='{"format": NaN}'), f"{RECORD} the number NaN."),
    "-1e400 in the record": (_metadata(fnn='{"a": [-1e400]}'), f"{RECORD} the number -1e400."),
    "5000 digits in the record": (_metadata(fnn=f'{{"a": -{"1" * 5000}}}'), f"{RECORD} Exceeds the limit …."),
    "100,000 brackets in the record": (_metadata(fnn='{"a": ' + "[" * 100_000), f"{RECORD} one in another, too deep."),
    **{
        f"a name twice, {where}": (_twice(before), f"{RECORD} a name twice.")
        for where, before in {
            "at the top": "{", "in the recipe": '"recipe":{', "in a layer": '"layers":[{', "in the sums": '"sums":{',
            "in the state's fields": '"fields":{', "in the history": '"history":[{', "in the sha256": '"sha256":{',
        }.items()
    },
    **{
        f"the format {version}": (_metadata(fnn=json.dumps(version)), f"must be of format 1, got {got}.{fix}")
        for version, got, fix in [
            ({}, None, ""), ({"format": 0}, 0, ""), ({"format": -1}, -1, ""), ({"format": True}, True, ""),
            ({"format": "1"}, "'1'", ""), ({"format": 1.0}, 1.0, ""), ({"format": [1]}, [1], ""),
            ({"format": None}, None, ""),
            ({"format": 2}, 2, " A newer fnn made it, and is needed to read it."),
            ({"format": 2**70}, 2**70, " A newer fnn made it, and is needed to read it."),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("load", [fnn.load, fnn.load_run])
@pytest.mark.parametrize("name", TEXTS)
def test_metadata_that_is_not_fnns(tmp_path: Path, load: Callable[..., Any], name: str) -> None:
    path = tmp_path / "file"
    data, message = TEXTS[name]
    path.write_bytes(data)
    refused(load, path, message)


PLANTS = {
    "lists": ("[", "]"),
    "objects": ('{"a":', "}"),
    "states": ('{"fields":{"step":', '},"state":"SGDState"}'),
    "specs": ('{"rate":', ',"spec":"Dropout"}'),
}


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize(
    "place", ["more", "sums", "history", "made_on", "stopped", "optimizer_state", "recipe", "kind"]
)
def test_deep_in_the_record(tmp_path: Path, place: str, plant: str) -> None:
    """No step stumbles over what is just not too deep for the step before it."""
    path, parts = tmp_path / "file", apart(run())
    parts.record[place] = "?"

    def said(depth: int) -> str:
        before, behind = PLANTS[plant]
        path.write_bytes(together(parts, record_text(parts, before * depth + "1" + behind * depth)))
        with pytest.raises(fnn.ModelFileError) as caught:
            fnn.load_run(path)
        assert caught.type is fnn.ModelFileError
        return str(caught.value)

    def too_deep(depth: int) -> bool:
        return said(depth) == f"load_run: `{path}` {RECORD} one in another, too deep."

    most = 2000 if too_deep(2000) else 100_000  # by Python's version
    first = bisect.bisect(range(most), False, key=too_deep)
    assert first > 200
    for depth in (3, 10, 300, *range(first - 12, first + 2), 5000, 100_000):
        said(depth)
