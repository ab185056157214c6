"""`fnn.load_idx`: every kind of IDX file, and whatever is none."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from tests.stand_ins import exactly, idx

CODES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}


def refused(path: Path, message: str, kind: type[Exception] = ValueError) -> None:
    with pytest.raises(kind, match=exactly(message)):
        fnn.load_idx(path)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("code", "dtype"), CODES.items())
def test_every_dtype_comes_back_in_the_order_of_the_machine(
    tmp_path: Path, code: int, dtype: str, zipped: bool
) -> None:
    kind = np.dtype(dtype)
    info: Any = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    array = np.arange(12).astype(kind).reshape(2, 3, 2)
    array[0, 0] = info.min, info.max
    raw = idx(code, array.shape, array.astype(kind.newbyteorder(">")).tobytes())
    (tmp_path / ("numbers.gz" if zipped else "numbers")).write_bytes(gzip.compress(raw) if zipped else raw)
    read = fnn.load_idx(tmp_path / "numbers")
    assert read.dtype == kind
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("code", "body", "value"),
    [
        (0x08, "fe", 254),
        (0x09, "fe", -2),
        (0x0B, "01 02", 258),
        (0x0B, "ff fe", -2),
        (0x0C, "00 01 00 02", 65538),
        (0x0D, "3f c0 00 00", 1.5),
        (0x0E, "c0 04 00 00 00 00 00 00", -2.5),
    ],
)
def test_numbers_are_big_endian(tmp_path: Path, code: int, body: str, value: float) -> None:
    (tmp_path / "one").write_bytes(idx(code, (1,), bytes.fromhex(body)))
    assert fnn.load_idx(tmp_path / "one").tolist() == [value]


def test_no_dimensions_and_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "few"
    path.write_bytes(idx(0x08, (), b"\x07"))
    assert fnn.load_idx(path).tolist() == 7
    path.write_bytes(idx(0x0B, (0, 3), b""))
    assert fnn.load_idx(path).shape == (0, 3)


def test_names(tmp_path: Path) -> None:
    plain, zipped = idx(0x08, (1,), b"\x01"), gzip.compress(idx(0x08, (1,), b"\x02"))
    (tmp_path / "a").write_bytes(plain)
    (tmp_path / "a.gz").write_bytes(zipped)
    (tmp_path / "b").write_bytes(zipped)
    assert fnn.load_idx(tmp_path / "a").tolist() == [1]  # the plain one goes first
    assert fnn.load_idx(str(tmp_path / "a.gz")).tolist() == [2]  # a str, and the .gz by its own name
    assert fnn.load_idx(tmp_path / "b").tolist() == [2]  # zipped in spite of its name


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none"
    refused(path, f"load_idx: there is neither {path} nor none.gz beside it.", FileNotFoundError)


@pytest.mark.parametrize(("code", "dtype"), CODES.items())
def test_cut_short_anywhere(tmp_path: Path, code: int, dtype: str) -> None:
    path = tmp_path / "cut"
    body = np.dtype(dtype).itemsize * 6
    raw = idx(code, (2, 3), bytes(body))
    header = len(raw) - body
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        begins = " ".join(f"{byte:02x}" for byte in raw[: min(length, 4)]) or "nothing"
        if length < header:
            refused(path, f"load_idx: {path} is not an IDX file: it begins with {begins}.")
        else:
            refused(path, f"load_idx: `cut` must hold {body} bytes for its shape (2, 3), got {length - header}.")


def test_too_long(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(idx(0x08, (1200,), bytes(1201)))
    refused(path, "load_idx: `long` must hold 1,200 bytes for its shape (1200,), got 1,201.")


@pytest.mark.parametrize("begins", ["01 00 08 01", "00 01 08 01", "00 00 0a 01", "00 00 00 01", "50 4b 03 04"])
def test_wrong_magic(tmp_path: Path, begins: str) -> None:
    path = tmp_path / "wrong"
    path.write_bytes(bytes.fromhex(begins) + bytes(8))
    refused(path, f"load_idx: {path} is not an IDX file: it begins with {begins}.")


def test_gzip_cut_short_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    raw = gzip.compress(idx(0x08, (40,), bytes(range(40))), mtime=0)
    for length in range(2, len(raw)):
        path.write_bytes(raw[:length])
        with pytest.raises(ValueError, match=f"^load_idx: {re.escape(str(path))} is not a whole gzip file: .+\\.$"):
            fnn.load_idx(path)


def test_gzip_with_another_checksum(tmp_path: Path) -> None:
    path = tmp_path / "sum"
    raw = bytearray(gzip.compress(idx(0x08, (3,), b"\x01\x02\x03"), mtime=0))
    raw[-8] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"/sum is not a whole gzip file: CRC check failed.*\.$"):
        fnn.load_idx(path)


def test_a_broken_gzip_is_named_as_it_is_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "labels.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(ValueError, match=re.escape(f"load_idx: {tmp_path / 'labels.gz'} is not a whole gzip file")):
        fnn.load_idx(tmp_path / "labels")


@settings(deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"\0\0" + rest))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(raw)
    try:
        read = fnn.load_idx(path)
    except ValueError as error:
        assert str(error).startswith("load_idx: ")  # noqa: PT017  # either outcome is right
    else:
        assert raw.endswith(read.astype(read.dtype.newbyteorder(">")).tobytes())


@pytest.mark.parametrize("shape", [(1,) * 70, (2**32 - 1, 2**32 - 1, 0)])
def test_shapes_that_no_array_can_have_are_refused_by_name(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / "shape").write_bytes(idx(0x08, shape, b"" if 0 in shape else b"\0"))
    with pytest.raises(ValueError, match=r"^load_idx: "):
        fnn.load_idx(tmp_path / "shape")
