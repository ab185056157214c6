"""Arrays from files of other tools: NumPy's .npy and .npz, and any safetensors file."""

from __future__ import annotations

import io
import math
import os

import numpy as np

from fnn import tensorfile
from fnn.arrays import Array, freeze


def load_arrays(
    path: str | os.PathLike[str], *, allow_nonfinite: bool = False, max_bytes: int = tensorfile.MAX_BYTES
) -> dict[str, Array]:
    """The arrays in a .npy, .npz or safetensors file by their names, for `pack_params`.

    What kind of file it is, is told from how it begins. The only array of a .npy file is named "arr_0". Those of
    safetensors come in the order in which they lie in the file, mostly that of their names and not of the layers, so
    they are picked by name. bfloat16 becomes float32, which holds it exactly. Nothing is unpickled, and what a file
    declares is checked before it is allocated; a file of `save` is checked by its sums only by `load`.

    PyTorch stores a weight as (out, in), so its transpose goes in; a bias is its own. Of a `Sequential` that was
    saved by safetensors: `pack_params(network, [arrays[f"{i}.{part}"].T for i in (0, 2, 4) for part in ("weight",
    "bias")])`.

    Args:
        path: of the file.
        allow_nonfinite: whether NaN and infinity are let in.
        max_bytes: a larger file is refused, and one whose arrays are larger when they are unpacked.

    Returns:
        Read-only arrays of booleans, integers and floats, of at most 64 bits, in the machine's byte order.

    Raises:
        OSError: where there is no file, or it may not be read.
        ModelFileError: for a file of another kind, with arrays of other dtypes, or that is not whole.
        TypeError, ValueError: for a `max_bytes` that is none.

    >>> import fnn, numpy as np, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "weights.npz")
    ...     np.savez(path, W1=np.ones((2, 3)), b1=np.zeros(3))
    ...     arrays = fnn.load_arrays(path)
    >>> fnn.pack_params(fnn.mlp(2, 3), [arrays["W1"], arrays["b1"]])
    Params(9 float64 numbers in 1 layer)
    """
    where, path = "load_arrays", os.fsdecode(path)
    with tensorfile.opened(where, path, max_bytes) as (file, size):
        start = file.read(6)
        file.seek(0)
        if start[:4] in (b"PK\3\4", b"PK\5\6"):  # a safetensors file may begin with PK, a length, too
            arrays = _npz(where, path, file.read(size), max_bytes)
        elif start == b"\x93NUMPY":
            arrays = {"arr_0": _npy(where, path, path, file.read(size))}
        else:
            arrays = tensorfile.read(where, path, file, size).tensors
    if not allow_nonfinite:
        tensorfile.all_finite(where, path, arrays)
    return arrays


def _npz(where: str, path: str, data: bytes, max_bytes: int) -> dict[str, Array]:
    """The arrays of a zip file of .npy files, each read no further than it says that it is long."""
    import zipfile

    arrays: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > max_bytes:
                rule, fix = f"must hold at most {max_bytes:,} bytes", "A larger one is read with `max_bytes`."
                raise tensorfile.refusal(where, path, rule, f"{total:,}", fix)
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name == member.filename or name in arrays:
                    rule = "must hold .npy files alone, each of another name"
                    torch = member.filename.endswith("/data.pkl")
                    fix = (
                        "It is PyTorch's: there `safetensors.torch.save_file(model.state_dict(), …)`." if torch else ""
                    )
                    raise tensorfile.refusal(where, path, rule, repr(member.filename), fix)
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others know no limit
                    rule = f"must hold {member.filename} stored or deflated, as NumPy does"
                    raise tensorfile.refusal(where, path, rule, f"compression {member.compress_type}")
                with archive.open(member) as file:
                    content = file.read(member.file_size + 1)
                if len(content) != member.file_size:
                    rule = f"must have {member.file_size:,} bytes in {member.filename}"
                    raise tensorfile.refusal(where, path, rule, f"{len(content):,}")
                arrays[name] = _npy(where, path, member.filename, content)
    except tensorfile.ModelFileError:
        raise
    except Exception as error:  # of many types, for all that can be wrong in a zip file
        raise tensorfile.refusal(where, path, "must be a whole .npz file", tensorfile.said(error)) from error
    return arrays


def _npy(where: str, path: str, name: str, data: bytes) -> Array:
    """The array of a .npy file (NumPy's NEP 1)."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = read(file, max_header_size=2000)  # ten times as long as one with a real shape
    except Exception as error:  # whatever NumPy's parser makes of it
        raise tensorfile.refusal(where, path, f"must have a header in {name}", tensorfile.said(error)) from error
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        fix = "Objects are pickles, which are never read." if dtype.hasobject else ""
        rule = f"must hold real numbers of at most 64 bits in {name}"
        raise tensorfile.refusal(where, path, rule, f"dtype {dtype}", fix)
    if not tensorfile.is_shape(shape):
        raise tensorfile.refusal(where, path, f"must have a shape that is one in {name}", str(shape))
    rest, size = memoryview(data)[file.tell() :], math.prod(shape) * dtype.itemsize
    if len(rest) != size:
        raise tensorfile.refusal(where, path, f"must have {size:,} bytes in {name} for {shape}", f"{len(rest):,}")
    array = np.frombuffer(rest, np.uint8) != 0 if dtype.kind == "b" else np.frombuffer(rest, dtype)
    array = array.reshape(shape, order="F" if by_columns else "C")
    return freeze(array.astype(dtype.newbyteorder("="), order="C"))
