"""`fnn.load_arrays`: the arrays of .npy, .npz and safetensors files as other tools write them."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as plain_save

import fnn
from tests.model_files import framed, model
from tests.stand_ins import exactly

DTYPES = [*(f"{kind}{size}" for kind in "ui" for size in (1, 2, 4, 8)), "f2", "f4", "f8", "b1"]
ORDERS: list[Any] = ["C", "F"]


def numbers(dtype: str, shape: tuple[int, ...] = (2, 3)) -> np.ndarray[Any, Any]:
    """An array with the least and the largest number of a dtype in it."""
    kind = np.dtype(dtype)
    array = np.arange(np.prod(shape)).astype(kind).reshape(shape)
    if kind.kind != "b" and array.size > 1:
        info: Any = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
        array.flat[:2] = info.min, info.max
    return array


def same(read: np.ndarray[Any, Any], array: np.ndarray[Any, Any]) -> None:
    """Equal to the last bit, in the machine's byte order, by rows, and read-only."""
    assert type(read) is np.ndarray
    assert read.dtype == array.dtype.newbyteorder("=")
    assert read.dtype.isnative
    assert read.shape == array.shape
    assert read.tobytes() == array.astype(read.dtype).tobytes()
    assert read.flags.c_contiguous
    assert read.flags.aligned
    with pytest.raises(ValueError, match="read-only"):
        read[...] = 0


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("dtype", DTYPES)
def test_npy(tmp_path: Path, dtype: str, endian: str, order: Any, version: tuple[int, int]) -> None:
    path, array = tmp_path / "file", np.array(numbers(dtype), order=order).astype(f"{endian}{dtype}")
    with open(path, "wb") as file:
        np.lib.format.write_array(file, array, version)
    arrays = fnn.load_arrays(path)
    assert list(arrays) == ["arr_0"]
    same(arrays["arr_0"], array)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0, 3), (1,), (7,), (2, 3, 4, 5), (1,) * 64])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_shape(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    array = numbers(dtype, shape)
    np.save(tmp_path / "file.npy", array)
    np.savez(tmp_path / "file.npz", a=array)
    np.savez_compressed(tmp_path / "small.npz", a=array)
    (tmp_path / "safetensors").write_bytes(plain_save({"a": array}))
    for path, name in (("file.npy", "arr_0"), ("file.npz", "a"), ("small.npz", "a"), ("safetensors", "a")):
        same(fnn.load_arrays(tmp_path / path)[name], array)


def test_npz_by_name(tmp_path: Path) -> None:
    named = {"W1": np.ones((2, 3)), "layers.0.bias": np.zeros(3), "größe": np.arange(2), "a/b": np.arange(3)}
    np.savez(tmp_path / "file", **named)  # type: ignore[arg-type]  # NumPy's own stubs want allow_pickle first
    arrays = fnn.load_arrays(str(tmp_path / "file.npz"))
    assert list(arrays) == list(named)
    for name, array in named.items():
        same(arrays[name], array)
    np.savez(tmp_path / "by place", np.ones(1), np.zeros(2))
    assert list(fnn.load_arrays(tmp_path / "by place.npz")) == ["arr_0", "arr_1"]
    np.savez(tmp_path / "none")
    assert fnn.load_arrays(tmp_path / "none.npz") == {}


def test_safetensors_of_every_dtype(tmp_path: Path) -> None:
    named = {dtype: numbers(dtype) for dtype in DTYPES}
    (tmp_path / "file").write_bytes(plain_save(named, {"format": "np", "by": "hand"}))
    arrays = fnn.load_arrays(tmp_path / "file")
    assert sorted(arrays) == sorted(named)
    for name, array in named.items():
        same(arrays[name], array)
    (tmp_path / "none").write_bytes(plain_save({}))
    assert fnn.load_arrays(tmp_path / "none") == {}


def test_fnns_own_files_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(model())
    arrays, params = fnn.load_arrays(tmp_path / "file"), fnn.load(tmp_path / "file")[1]
    same(arrays["layers.0.weight"], params[0].weight)
    same(arrays["layers.1.variance"], params[1].variance)
    assert len(arrays) == 8


def test_numbers_that_lie_at_an_odd_place_are_aligned(tmp_path: Path) -> None:
    entries = {
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "b": {"dtype": "F64", "shape": [2], "data_offsets": [1, 17]},
        "c": {"dtype": "BF16", "shape": [1], "data_offsets": [17, 19]},
    }
    path, b = tmp_path / "file", np.array([0.1, -2.0])
    path.write_bytes(framed(json.dumps(entries).encode(), b"\7" + b.tobytes() + b"\x80\x3f"))
    arrays = fnn.load_arrays(path)
    same(arrays["a"], np.array([7], np.uint8))
    same(arrays["b"], b)
    same(arrays["c"], np.ones(1, np.float32))


def _bfloat16(bits: int) -> float:
    """(−1)^sign · 2^(exponent − 127) · 1.fraction, with 8 bits for the exponent and 7 for the fraction."""
    sign, exponent, fraction = -1.0 if bits >> 15 else 1.0, bits >> 7 & 255, bits & 127
    if exponent == 255:
        return sign * (float("nan") if fraction else float("inf"))
    return sign * (2.0 ** (exponent - 127) * (1 + fraction / 128) if exponent else 2.0**-126 * fraction / 128)


def test_bfloat16_becomes_the_float32_that_it_is(tmp_path: Path) -> None:
    entry = {"dtype": "BF16", "shape": [256, 256], "data_offsets": [0, 2**17]}
    path = tmp_path / "file"
    path.write_bytes(framed(json.dumps({"a": entry}).encode(), struct.pack("<65536H", *range(65536))))
    array = fnn.load_arrays(path, allow_nonfinite=True)["a"]
    assert array.dtype == np.float32
    assert array.shape == (256, 256)
    expected = np.array([_bfloat16(bits) for bits in range(65536)])
    with np.errstate(invalid="ignore"):  # some of the NaN are signaling
        assert np.array_equal(array.ravel().astype(np.float64), expected, equal_nan=True)
    assert np.array_equal(np.signbit(array.ravel()), np.arange(65536) >= 2**15)


def test_booleans_are_0_or_1_whatever_the_byte(tmp_path: Path) -> None:
    entry = {"dtype": "BOOL", "shape": [4], "data_offsets": [0, 4]}
    (tmp_path / "safetensors").write_bytes(framed(json.dumps({"arr_0": entry}).encode(), b"\0\1\2\xff"))
    np.save(tmp_path / "file.npy", np.zeros(4, bool))
    (tmp_path / "npy").write_bytes((tmp_path / "file.npy").read_bytes()[:-4] + b"\0\1\2\xff")
    for name in ("safetensors", "npy"):
        array = fnn.load_arrays(tmp_path / name)["arr_0"]
        assert array.tobytes() == b"\0\1\1\1"
        assert array.astype(int).tolist() == [0, 1, 1, 1]


def test_a_safetensors_file_that_begins_as_a_zip_file_does(tmp_path: Path) -> None:
    """PK is the length of a header too."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "file"
    path.write_bytes(framed(header.ljust(int.from_bytes(b"PK", "little")), struct.pack("<f", 0.5)))
    assert path.read_bytes().startswith(b"PK\0\0")
    assert fnn.load_arrays(path)["a"].tolist() == [0.5]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4", "f8"])
def test_what_is_not_finite(tmp_path: Path, dtype: str, value: float) -> None:
    array = np.array([0, value], dtype)
    np.save(tmp_path / "file.npy", array)
    np.savez_compressed(tmp_path / "file.npz", arr_0=array)
    (tmp_path / "safetensors").write_bytes(plain_save({"arr_0": array}))
    for path in (tmp_path / "file.npy", tmp_path / "file.npz", tmp_path / "safetensors"):
        message = f"load_arrays: `{path}` must have finite numbers in arr_0, got NaN or infinity."
        with pytest.raises(fnn.ModelFileError, match=exactly(f"{message} `allow_nonfinite=True` lets it in.")):
            fnn.load_arrays(path)
        same(fnn.load_arrays(path, allow_nonfinite=True)["arr_0"], array)


def _their_forward(arrays: dict[str, np.ndarray[Any, Any]], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What PyTorch's Sequential(Linear, Tanh, Linear, Softmax(1)) makes: y = x · weightᵀ + bias in each Linear."""
    z = np.tanh(np.einsum("ni,oi->no", x, arrays["0.weight"]) + arrays["0.bias"])
    z = np.einsum("ni,oi->no", z, arrays["2.weight"]) + arrays["2.bias"]
    return np.asarray(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("kind", ["safetensors", "npz"])
def test_weights_of_pytorch_go_in_by_their_transposes(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    shapes = {"0.weight": (5, 4), "0.bias": (5,), "2.weight": (3, 5), "2.bias": (3,)}
    arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    path = tmp_path / f"file.{kind}"
    if kind == "npz":
        np.savez(path, **arrays)  # type: ignore[arg-type]
    else:
        path.write_bytes(plain_save(arrays, {"format": "pt"}))
    read, network = fnn.load_arrays(path), fnn.mlp(4, 5, 3, activation="tanh")
    params = fnn.pack_params(network, [read[f"{i}.{part}"].T for i in (0, 2) for part in ("weight", "bias")])
    assert params.dtype == np.float64
    x = rng.standard_normal((7, 4))
    np.testing.assert_allclose(fnn.forward(network, params, x), _their_forward(arrays, x), rtol=1e-12)
    message = "pack_params: `arrays[0]` is layers[0].weight and must have shape (4, 5), got (5, 4). "
    with pytest.raises(ValueError, match=exactly(f"{message}It is transposed: `arrays[0].T`.")):
        fnn.pack_params(network, [read[f"{i}.{part}"] for i in (0, 2) for part in ("weight", "bias")])


def test_half_precision_goes_into_params(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    half = [rng.standard_normal(shape).astype(np.float16) for shape in ((4, 3), (3,))]
    file = io.BytesIO()
    np.savez(file, *half)
    (tmp_path / "file").write_bytes(file.getvalue())
    params = fnn.pack_params(fnn.mlp(4, 3), [*fnn.load_arrays(tmp_path / "file").values()], np.float32)
    assert np.array_equal(params[0].weight, half[0].astype(np.float32))
