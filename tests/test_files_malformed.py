"""Files that are none: whatever their bytes, each is refused by name, soon, and before much is allocated.

Here what is wrong with the bytes and with the header, which is the same to all that read safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fnn
from tests.model_files import deep, framed, refused

LOADERS: list[Callable[..., Any]] = [fnn.load, fnn.load_run, fnn.load_arrays]
KIND = "must be a safetensors file, with a header of 2 to"
ONE = "must have as the header one JSON object in UTF-8, got"
SAY = "must say of 'a' its dtype, shape and data_offsets, got"
NONE_OF = "which is none of F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, BOOL, BF16"


def text(header: str) -> bytes:
    return framed(header.encode(), bytes(8))


def tensors(**entries: Any) -> bytes:
    """A file with 8 bytes behind its header."""
    return text(json.dumps({name: entry for name, entry in entries.items() if entry is not None}))


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8), **other: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **other}


def twice(inner: str) -> str:
    return f"{{{inner}, {inner}}}"


NAMED = '"fnn": "{}"'
ENTRY = json.dumps(entry())
NO_OFFSETS: list[Any] = [None, 8, "08", {}, [], [8], [0, 8, 8], [-8, 0], [False, 8], [0.0, 8.0], [0, 2**63], ["0", "8"]]
NO_METADATA: list[Any] = [[], 1, "fnn", {"fnn": 1}, {"fnn": {"format": 1}}, {"fnn": "{}", "more": None}, {"fnn": True}]

BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "must have at least 10 bytes, got 0."),
    **{f"{n} bytes": (bytes(n), f"must have at least 10 bytes, got {n}.") for n in range(1, 10)},
    "10 zeros": (bytes(10), f"{KIND} 2 bytes, got a length of 0."),
    "header of 0 bytes": (framed(b"{}", length=0), f"{KIND} 2 bytes, got a length of 0."),
    "header of 1 byte": (framed(b"{}", length=1), f"{KIND} 2 bytes, got a length of 1."),
    "header longer than the file by one": (framed(b"{}", length=3), f"{KIND} 2 bytes, got a length of 3."),
    "header of 2**63 bytes": (framed(b"{}", length=2**63), f"{KIND} 2 bytes, got a length of {2**63:,}."),
    "header of 2**64 - 1 bytes": (b"\xff" * 8 + b"{}", f"{KIND} 2 bytes, got a length of 18,446,744,073,709,551,615."),
    "header one byte short": (
        framed(b'{"a": 12}', b"x", length=8),
        f"{ONE} Expecting ',' delimiter: line 1 column 9 (char 8).",
    ),
    "header one byte long": (
        framed(b"{}", b"x", length=3),
        f"{ONE} Extra data: line 1 column 3 (char 2).",
    ),
    "header without a brace": (framed(b"hello"), f"{ONE} 'h' at its beginning."),
    "a list": (framed(b"[1]"), f"{ONE} '[' at its beginning."),
    "a number": (framed(b"12"), f"{ONE} '1' at its beginning."),
    "null": (framed(b"null"), f"{ONE} 'n' at its beginning."),
    "a text": (framed(b'"{}"'), f"{ONE} '\"' at its beginning."),
    "a space before it": (framed(b" {}"), f"{ONE} ' ' at its beginning."),
    "a byte order mark": (framed("\ufeff{}".encode()), f"{ONE} '\\ufeff' at its beginning."),
    "another object behind it": (framed(b"{}{}"), f"{ONE} Extra data: line 1 column 3 (char 2)."),
    "single quotes": (
        framed(b"{'a': 1}"),
        f"{ONE} Expecting property name enclosed in double quotes: line 1 column 2 (char 1).",
    ),
    "bad UTF-8": (
        framed(b'{"\xff": 1}'),
        f"{ONE} 'utf-8' codec can't decode byte 0xff in position 2: invalid start byte.",
    ),
    "UTF-16": (
        framed("{}".encode("utf-16")),
        f"{ONE} 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte.",
    ),
    "a tensor twice": (text(twice(f'"a": {ENTRY}')), f"{ONE} a name twice."),
    "a dtype twice": (text(f'{{"a": {twice(ENTRY[1:-1])}}}'), f"{ONE} a name twice."),
    "metadata twice": (text(twice('"__metadata__": {}')), f"{ONE} a name twice."),
    "a name of the metadata twice": (
        text(f'{{"__metadata__": {twice(NAMED)}}}'),
        f"{ONE} a name twice.",
    ),
    "NaN": (text('{"a": NaN}'), f"{ONE} the number NaN."),
    "Infinity": (text('{"a": Infinity}'), f"{ONE} the number Infinity."),
    "-Infinity": (text('{"a": [-Infinity]}'), f"{ONE} the number -Infinity."),
    "1e999": (text('{"a": 1e999}'), f"{ONE} the number 1e999."),
    "an integer of 5000 digits": (text(f'{{"a": {"9" * 5000}}}'), f"{ONE} Exceeds the limit …."),
    "a float of 5000 digits": (text(f'{{"a": {"9" * 5000}.0}}'), f"{ONE} the number {'9' * 20}."),
    "100,000 brackets": (text('{"a": ' + "[" * 100_000), f"{ONE} one in another, too deep."),
    "100,000 braces": (text('{"a": ' * 100_000), f"{ONE} one in another, too deep."),
    "an entry that is a number": (tensors(a=1), f"{SAY} 1."),
    "an entry that is a list": (tensors(a=["F32", [2], [0, 8]]), f"{SAY} ['F32', [2], [0, 8]]."),
    "an entry without a dtype": (tensors(a={"shape": [2]}), f"{SAY} {{'shape': [2]}}."),
    "an entry with more": (
        tensors(a=entry(order="C")),
        f"{SAY} {{'data_offsets': [0, 8], 'dtype': 'F32', 'order': 'C', 'shape': [2]}}.",
    ),
    "an entry 900 deep": (tensors(a=deep(900)), f"{SAY} [[[[[[[...]]]]]]]."),
    **{
        f"the dtype {dtype!r}": (tensors(a=entry(dtype)), f"{SAY} the dtype {dtype!r}, {NONE_OF}.")
        for dtype in ("float16", "object", "f32", "F8_E4M3", "C64", "", None, 32, ["F32"], {"F32": 1})
    },
    **{
        f"the shape {shape}": (tensors(a=entry(shape=shape)), f"{SAY} the shape {shape!r}.")
        for shape in (None, 2, "2", {"2": 2}, [-2], [True, 2], [2.0], ["2"], [[2]], [2**63], [0, 2**64])
    },
    "a shape that overflows": (tensors(a=entry(shape=[2**32, 2**32])), f"{SAY} the shape [4294967296, 4294967296]."),
    "a shape whose bytes overflow": (tensors(a=entry("F64", [2**31, 2**30])), f"{SAY} the shape …."),
    "no numbers in a huge shape": (tensors(a=entry(shape=[2**60, 0])), f"{SAY} the shape [1152921504606846976, 0]."),
    "100 dimensions": (tensors(a=entry("F64", [1] * 100)), f"{SAY} the shape [1, 1, 1, 1, 1, 1, ...]."),
    **{
        f"the offsets {offsets}": (tensors(a=entry(offsets=offsets)), f"{SAY} the offsets {offsets!r}.")
        for offsets in NO_OFFSETS
    },
    **{
        f"{kind} offsets": (tensors(a=entry(offsets=offsets)), f"must have 'a' at the offsets [0, 8], got {offsets}.")
        for kind, offsets in {
            "short": [0, 4], "long": [0, 12], "late": [4, 12], "reversed": [8, 0], "empty": [0, 0],
            "huge": [0, 2**62], "far": [2**62, 2**62 + 8], "half": [4, 8],
        }.items()
    },
    "overlapping tensors": (
        tensors(a=entry(shape=[1], offsets=[0, 4]), b=entry(shape=[1], offsets=[2, 6])),
        "must have 'b' at the offsets [4, 8], got [2, 6].",
    ),
    "two tensors in one place": (
        tensors(a=entry(), b=entry()),
        "must have 'b' at the offsets [8, 16], got [0, 8].",
    ),
    "a gap between tensors": (
        tensors(a=entry(shape=[1], offsets=[0, 4]), b=entry("U8", [2], offsets=[6, 8])),
        "must have 'b' at the offsets [4, 6], got [6, 8].",
    ),
    "bytes behind the tensors": (
        tensors(a=entry("U8", offsets=[0, 2])), "must have 2 bytes after its header, got 8."
    ),
    "bytes and no tensors": (tensors(), "must have 0 bytes after its header, got 8."),
    "tensors larger than the file": (
        tensors(a=entry(shape=[2**40], offsets=[0, 2**42])),
        "must have 4,398,046,511,104 bytes after its header, got 8. It is cut short.",
    ),
    "a tensor's name that cannot be printed": (
        tensors(**{"\x1b[2J\n": 1}),
        "must say of '\\x1b[2J\\n' its dtype, shape and data_offsets, got 1.",
    ),
    "a long name": (
        tensors(**{"x" * 1000: 1}),
        f"must say of '{'x' * 12}...{'x' * 13}' its dtype, shape and data_offsets, got 1.",
    ),
    **{
        f"the metadata {json.dumps(metadata)}": (
            tensors(__metadata__=metadata), f"must have metadata of texts by name, got {metadata!r}."
        )
        for metadata in NO_METADATA
    },
}  # fmt: skip


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_safetensors(tmp_path: Path, load: Callable[..., Any], name: str) -> None:
    path = tmp_path / "file"
    data, message = BYTES[name]
    path.write_bytes(data)
    refused(load, path, message)
