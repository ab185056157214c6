"""`fnn.load_arrays` of what no tool should write: each refused by name, soon, and before much is allocated."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnn
from tests.model_files import refused

FLOATS = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"


def npy(
    header: str | bytes = FLOATS, data: bytes = bytes(8), version: tuple[int, int] = (1, 0), length: int = -1
) -> bytes:
    header = header.encode("latin-1") if isinstance(header, str) else header
    size = struct.pack("<H" if version == (1, 0) else "<I", len(header) if length < 0 else length)
    return b"\x93NUMPY" + bytes(version) + size + header + data


def of(shape: object, descr: object = "'<f4'", order: object = False, data: bytes = bytes(8)) -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}", data)


def saved(array: np.ndarray[Any, Any], **settings: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **settings)
    return file.getvalue()


HEADER = "must have a header in {name}, got"
SHAPE = "must have a shape that is one in {name}, got"
REAL = "must hold real numbers of at most 64 bits in {name}, got dtype"
OBJECTS = "Objects are pickles, which are never read."
POINTS = np.array([(1, 0.5)], [("x", "i4"), ("y", "f8")])

ARRAYS: dict[str, tuple[bytes, str]] = {
    "nothing behind the magic": (
        b"\x93NUMPY" + bytes(1), f"{HEADER} ValueError: EOF: reading magic string, expected 8 bytes got 7."
    ),
    "version 0": (npy(version=(0, 1)), f"{HEADER} ValueError: version (0, 1)."),
    "version 3": (npy(version=(3, 0)), f"{HEADER} ValueError: version (3, 0)."),
    "version 255": (npy(version=(255, 255)), f"{HEADER} ValueError: version (255, 255)."),
    "a header longer than the file": (
        npy(length=65535), f"{HEADER} ValueError: EOF: reading array header, expected 65535 bytes got 65."
    ),
    "a header of 4 GB": (
        npy(version=(2, 0), length=2**32 - 1),
        f"{HEADER} ValueError: EOF: reading array header, expected 4294967295 bytes got 65.",
    ),
    "a header of 3,000 bytes": (
        npy(FLOATS.ljust(3000)), f"{HEADER} ValueError: Header info length (3000) is large …."
    ),
    "no header": (npy(""), f"{HEADER} ValueError: Cannot parse header: ''."),
    "a header of zeros": (npy(bytes(100)), f"{HEADER} …."),
    "a header that is no dictionary": (npy("[1, 2]"), f"{HEADER} ValueError: Header is not a dictionary: [1, 2]."),
    "a header that is not ASCII": (npy(FLOATS.replace("f4", "é")), f"{HEADER} ValueError: descr is not …: '<é'."),
    "a key missing": (npy("{'descr': '<f4'}"), f"{HEADER} ValueError: Header does not contain the correct keys: …."),
    "a key more": (npy(FLOATS[:-1] + "'a': 1}"), f"{HEADER} ValueError: Header does not contain the correct keys: …."),
    "an expression": (of("(2**70, 0)"), f"{HEADER} ValueError: malformed node or string …."),
    "a call": (of("(2,)", "__import__('os').getcwd()"), f"{HEADER} ValueError: malformed node or string …."),
    "a comprehension": (of("tuple(9**9 for i in range(9**9))"), f"{HEADER} ValueError: malformed node or string …."),
    "1,000 brackets": (npy("(" * 1000 + ")" * 1000), f"{HEADER} …."),
    "1,000 brackets left open": (npy("(" * 1000), f"{HEADER} …."),
    "1,900 signs": (npy("-" * 1900 + "1"), f"{HEADER} …."),
    "an order that is none": (of("(2,)", order="1"), f"{HEADER} ValueError: fortran_order is not a valid bool: 1."),
    "a shape that is a list": (of("[2]"), f"{HEADER} ValueError: shape is not valid: [2]."),
    "a shape that is a number": (of("2"), f"{HEADER} ValueError: shape is not valid: 2."),
    "a shape of floats": (of("(2.0,)"), f"{HEADER} ValueError: shape is not valid: (2.0,)."),
    "a shape of booleans": (of("(True, 2)"), f"{SHAPE} (True, 2)."),
    "a shape below 0": (of("(-2,)"), f"{SHAPE} (-2,)."),
    "a shape below 0 twice": (of("(-1, -2)"), f"{SHAPE} (-1, -2)."),
    "a shape below 0 of no numbers": (of("(-1, 0)", data=b""), f"{SHAPE} (-1, 0)."),
    "a dimension of 2**70": (of((2**70,)), f"{SHAPE} (1180591620717411303424,)."),
    "no numbers in 2**70 rows": (of((2**70, 0), data=b""), f"{SHAPE} (1180591620717411303424, 0)."),
    "a shape of 1,800 digits": (of((10**900, 10**900)), f"{SHAPE} (1000…0000)."),
    "65 dimensions": (of((1,) * 65), f"{SHAPE} (1, 1, …1, 1)."),
    "10**15 numbers": (
        of((10**15,)), "must have 4,000,000,000,000,000 bytes in {name} for (1000000000000000,), got 8."
    ),
    "a number too few": (of((3,)), "must have 12 bytes in {name} for (3,), got 8."),
    "a number too many": (of((1,)), "must have 4 bytes in {name} for (1,), got 8."),
    "a dtype that is none": (of((2,), "'<f3'"), f"{HEADER} ValueError: descr is not a valid dtype descriptor: '<f3'."),
    "a dtype that is a number": (of((2,), 4), f"{HEADER} ValueError: descr is not a valid dtype descriptor: 4."),
    "a void of 10**11 bytes": (of((2,), "'V100000000000'"), f"{HEADER} ValueError: descr is not …."),
    "a void": (of((1,), "'|V8'"), f"{REAL} |V8."),
    "an array in an array": (of((2,), "('<f4', (10000, 10000))"), f"{REAL} ('<f4', (10000, 10000))."),
    "objects": (of((1,), "'|O'"), f"{REAL} object. {OBJECTS}"),
    "an object in a structure": (of((1,), "[('a', '|O')]"), f"{REAL} [('a', 'O')]. {OBJECTS}"),
    "a structure": (saved(POINTS), f"{REAL} [('x', '<i4'), ('y', '<f8')]."),
    "a structure of 100 fields": (of((1,), [(f"{i}", "<f8") for i in range(100)]), f"{REAL} [('0', '<f8'), …]."),
    "complex": (saved(np.ones(2, complex)), f"{REAL} complex128."),
    "complex of 8 bytes": (saved(np.ones(2, np.complex64)), f"{REAL} complex64."),
    "long doubles": (saved(np.ones(2, np.longdouble)), f"{REAL} {np.dtype(np.longdouble)}."),
    "text": (saved(np.array(["a", "bc"])), f"{REAL} <U2."),
    "bytes": (saved(np.array([b"a", b"bc"])), f"{REAL} |S2."),
    "dates": (saved(np.array(["2026-01-01"], "M8[D]")), f"{REAL} datetime64[D]."),
    "spans of time": (saved(np.array([1], "m8[s]")), f"{REAL} timedelta64[s]."),
}  # fmt: skip


def zipped(*members: tuple[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name twice
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, kind)
    return file.getvalue()


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    data, message = ARRAYS[name]
    path.write_bytes(data)
    refused(fnn.load_arrays, path, message.replace("{name}", str(path)))
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path.write_bytes(zipped(("good.npy", npy()), ("a.npy", data), kind=kind))
        refused(fnn.load_arrays, path, message.replace("{name}", "a.npy"))


def test_cut_short_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for whole in (
        npy(),
        zipped(("a.npy", npy()), ("b.npy", npy())),
        zipped(("a.npy", npy()), ("b.npy", npy()), kind=zipfile.ZIP_DEFLATED),
    ):
        path.write_bytes(whole)
        assert len(fnn.load_arrays(path)) > 0
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(fnn.ModelFileError) as caught:
                fnn.load_arrays(path)
            assert str(caught.value).startswith(f"load_arrays: `{path}` must ")


def patched(data: bytes, at: int, value: bytes) -> bytes:
    """A zip file with other bytes in its directory's entry of the last member."""
    begin = data.rindex(b"PK\1\2") + at
    return data[:begin] + value + data[begin + len(value) :]


FLAGS, METHOD, SUM, SIZE, OFFSET, NAME = 8, 10, 16, 24, 42, 46  # of a directory's entry
GOOD = ("a.npy", npy())
WHOLE = "must be a whole .npz file, got"
ALONE = "must hold .npy files alone, each of another name, got"
LIMIT = "A larger one is read with `max_bytes`."
BOMB = npy(FLOATS.replace("(2,)", "(15000000,)"), bytes(60_000_000))

ZIPS: dict[str, tuple[bytes, str]] = {
    "a member that is no .npy": (zipped(GOOD, ("b.txt", b"b")), f"{ALONE} 'b.txt'."),
    "a folder": (zipped(GOOD, ("b/", b"")), f"{ALONE} 'b/'."),
    "no name": (zipped(("", b"")), f"{ALONE} ''."),
    "a name twice": (zipped(GOOD, ("b.npy", npy()), GOOD), f"{ALONE} 'a.npy'."),
    "a name that cannot be printed": (zipped(("\x1b[2J", b"")), f"{ALONE} '\\x1b[2J'."),
    "a name that cannot be printed, of no header": (
        zipped(("\x1b[2J\n.npy", b"")), "must have a header in \\x1b[2J\\n.npy, got …."
    ),
    "a member that is another zip": (zipped(("a.npy", zipped(GOOD))), "must have a header in a.npy, got …."),
    "bad UTF-8 in a name": (
        patched(patched(zipped(GOOD), FLAGS, b"\0\x08"), NAME, b"\xff"),
        f"{WHOLE} UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte.",
    ),
    "another sum": (patched(zipped(GOOD), SUM, bytes(4)), f"{WHOLE} BadZipFile: Bad CRC-32 for file 'a.npy'."),
    "encrypted": (patched(zipped(GOOD), FLAGS, b"\1"), f"{WHOLE} RuntimeError: File …is encrypted, …."),
    "patched": (patched(zipped(GOOD), FLAGS, b"\x20"), f"{WHOLE} NotImplementedError: compressed patched data ….",),
    "another name in front of the member": (
        patched(zipped(GOOD), NAME, b"b"),
        f"{WHOLE} BadZipFile: File name in directory 'b.npy' and header b'a.npy' differ.",
    ),
    "a member that begins elsewhere": (
        patched(zipped(GOOD), OFFSET, b"\x07"), f"{WHOLE} BadZipFile: Bad magic number for file header."
    ),
    "a member that begins behind the file": (
        patched(zipped(GOOD), OFFSET, b"\xff\xff\xff\x7f"), f"{WHOLE} BadZipFile: …."
    ),
    "a directory in front of the file": (
        zipped(GOOD)[:-10] + struct.pack("<II", 10_000, 0) + b"\0\0", f"{WHOLE} …."
    ),
    "no directory": (zipped(GOOD)[:-22], f"{WHOLE} BadZipFile: File is not a zip file."),
    **{
        f"compression {name}": (
            patched(zipped(("a.npy", BOMB), kind=kind), SIZE, struct.pack("<I", 1000)),
            f"must hold a.npy stored or deflated, as NumPy does, got compression {kind}.",
        )
        for name, kind in {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}.items()
    },
    "compression 99": (
        patched(zipped(GOOD), METHOD, b"\x63"), "must hold a.npy stored or deflated, as NumPy does, got compression 99."
    ),
    "deflated, it says": (
        patched(zipped(GOOD), METHOD, b"\x08"), f"{WHOLE} BadZipFile: Bad CRC-32 for file 'a.npy'."
    ),
    "stored, it says": (
        patched(zipped(GOOD, kind=zipfile.ZIP_DEFLATED), METHOD, b"\0"),
        f"{WHOLE} BadZipFile: Bad CRC-32 for file 'a.npy'.",
    ),
    "smaller than it says": (
        patched(zipped(GOOD), SIZE, struct.pack("<I", 900_000_000)), "must have 900,000,000 bytes in a.npy, got 75."
    ),
    "larger than a limit, it says": (
        patched(zipped(GOOD), SIZE, struct.pack("<I", 2**31)),
        f"must hold at most 1,073,741,824 bytes, got 2,147,483,648. {LIMIT}",
    ),
    "a bomb that says that it is small": (
        patched(zipped(("a.npy", BOMB), kind=zipfile.ZIP_DEFLATED), SIZE, struct.pack("<I", 1000)),
        f"{WHOLE} BadZipFile: Bad CRC-32 for file 'a.npy'.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ZIPS)
def test_zip_files_that_are_no_npz(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    data, message = ZIPS[name]
    path.write_bytes(data)
    refused(fnn.load_arrays, path, message)


def test_bombs_larger_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = zipped(*((f"{i}.npy", BOMB) for i in range(3)), kind=zipfile.ZIP_DEFLATED)
    assert len(data) < 200_000 < len(BOMB)
    path.write_bytes(data)
    message = f"must hold at most {len(BOMB):,} bytes, got {3 * len(BOMB):,}. {LIMIT}"
    refused(fnn.load_arrays, path, message, max_bytes=len(BOMB))
    assert len(fnn.load_arrays(path, max_bytes=3 * len(BOMB))) == 3


def test_no_object_is_unpickled(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
            return open, (str(tmp_path / "made"), "w")

    objects = np.empty(1, object)
    objects[0] = Evil()
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", allow_pickle=True, a=objects)
    refused(fnn.load_arrays, tmp_path / "a.npy", f"{REAL.format(name=tmp_path / 'a.npy')} object. {OBJECTS}")
    refused(fnn.load_arrays, tmp_path / "a.npz", f"{REAL.format(name='a.npy')} object. {OBJECTS}")
    assert not (tmp_path / "made").exists()
    np.load(tmp_path / "a.npy", allow_pickle=True)[0].close()
    assert (tmp_path / "made").exists()  # it would have been made


@pytest.mark.parametrize("place", range(98))
def test_any_byte_of_a_directory_changed(tmp_path: Path, place: int) -> None:
    """Read as it was but for a date or such, or refused."""
    path, whole = tmp_path / "file", zipped(GOOD)
    begin = whole.rindex(b"PK\1\2")
    for value in (0, 1, 8, 127, 128, 255):
        data = bytearray(whole)
        if begin + place < len(data):
            data[begin + place] = value
        path.write_bytes(data)
        try:
            arrays = fnn.load_arrays(path)
        except fnn.ModelFileError as error:
            assert str(error).startswith(f"load_arrays: `{path}` must ")  # noqa: PT017  # either outcome is right
        else:
            assert [array.tolist() for array in arrays.values()] in ([[0, 0]], [])
