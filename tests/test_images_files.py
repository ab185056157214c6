"""Files of pictures: each kind that Pillow reads, and what is refused, of files and of arrays."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import fnn
from fnn import images
from fnn.arrays import Array
from tests.stand_ins import exactly
from tests.test_images import SEVEN, same, seven

# Files.


def file(tmp_path: Path, picture: Any, name: str = "digit.png", **options: Any) -> Path:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_files_are_the_arrays_in_them(tmp_path: Path) -> None:
    grey = seven()
    rgb = np.stack([grey] * 3, axis=-1)
    for array in (grey, rgb, np.dstack([rgb, 255 - grey])):
        assert fnn.digest(images.prepare(file(tmp_path, array))) == fnn.digest(images.prepare(array))
    assert fnn.digest(images.prepare(str(tmp_path / "digit.png"))) == fnn.digest(images.prepare(array))
    image = Image.fromarray(grey)
    same(file(tmp_path, image.convert("1")), SEVEN)
    same(file(tmp_path, image.convert("P")), SEVEN)
    same(file(tmp_path, Image.merge("LA", (image, Image.new("L", image.size, 255)))), SEVEN)
    same(file(tmp_path, image, "digit.jpg", quality=95), SEVEN, 12)
    same(file(tmp_path, image.convert("CMYK"), "cmyk.jpg", quality=95), SEVEN, 12)
    same(file(tmp_path, image, "digit.txt", format="PNG"), SEVEN)


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    deep = seven(ink=50, ground=200).astype(np.uint16) * 257
    prepared = images.prepare(file(tmp_path, deep))
    np.testing.assert_array_equal(prepared.grey, seven(ink=50, ground=200))


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (120, 90), 0)
    image.putpalette([255, 0, 0, 10, 20, 30])
    image.paste(1, (30, 20, 54, 28))
    image.paste(1, (46, 20, 54, 60))
    path = file(tmp_path, image, transparency=0)
    same(path, SEVEN)
    assert images.prepare(path).inverted


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, seven()),
        (2, seven()[:, ::-1]),
        (3, seven()[::-1, ::-1]),
        (4, seven()[::-1]),
        (5, seven().T),
        (6, np.rot90(seven())),
        (7, seven()[::-1, ::-1].T),
        (8, np.rot90(seven(), -1)),
    ],
)
def test_the_orientation_that_the_camera_noted_is_applied(tmp_path: Path, orientation: int, stored: Array) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    same(file(tmp_path, image, exif=exif), SEVEN)
    same(file(tmp_path, image, "digit.jpg", exif=exif, quality=95), SEVEN, 12)


def test_metadata_that_are_broken_do_not_matter(tmp_path: Path) -> None:
    same(file(tmp_path, seven(), "digit.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x05", quality=95), SEVEN, 12)


def test_a_large_photo_takes_little_time_and_memory(tmp_path: Path) -> None:
    large = Image.fromarray(seven()).resize((6000, 4500), Image.Resampling.NEAREST).convert("RGB")
    pixels = np.asarray(large)
    pictures: list[Any] = [file(tmp_path, large, "large.jpg"), file(tmp_path, large), pixels]
    for picture in pictures:
        tracemalloc.start()
        begun = time.perf_counter()
        prepared = images.prepare(picture)
        seconds, (_, peak) = time.perf_counter() - begun, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert prepared.grey.shape == (384, 512)
        assert seconds < 5
        assert peak < 120e6 + pixels.nbytes * (picture is pixels)
        same(picture, SEVEN, 60)


# What is refused.

ROW = "One row of pixels is made an image by `picture.reshape(28, 28)`."
SHAPES = "`picture` must have shape (h, w), (h, w, 3) or (h, w, 4), got"
BLANK = "`picture` must show a digit, got a blank, or noise alone."
SPECKS = "`picture` must show a digit of at least 5 pixels, got specks or noise alone."
G = np.zeros((30, 30))


def at(value: float, kind: Any = float) -> Array:
    picture = np.zeros((30, 30), kind)
    picture[3, 4] = value
    return picture


def noise(kind: str, seed: int = 0, n: int = 100) -> Array:
    draw = np.random.default_rng(seed)
    uniform = draw.random((n, n))
    array: Array = {
        "normal": draw.normal(180, 20, (n, n)),
        "uniform": 255 * uniform,
        "salt": np.where(uniform < 0.02, 0.0, 255.0),
        "dust": np.where(uniform < 0.001, 0.0, 255.0),
    }[kind]
    return array.clip(0, 255).astype(np.uint8)


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (None, TypeError, "`picture` must be an array of real numbers, got None."),
    ([["a"]], TypeError, "`picture` must be an array of real numbers, got [['a']]."),
    (G + 1j, TypeError, "`picture` must be an array of real numbers, got dtype complex128."),
    (Image.new("P", (9, 9)), TypeError, "`picture` must be a path or an array, got Pillow's image. "
     "Give its path, or `np.asarray(picture.convert('RGBA'))`."),
    (0, ValueError, f"{SHAPES} ()."),
    (np.zeros(784), ValueError, f"{SHAPES} (784,). {ROW}"),
    (np.zeros((2, 30, 30, 3)), ValueError, f"{SHAPES} (2, 30, 30, 3)."),
    (np.zeros((30, 30, 2)), ValueError, f"{SHAPES} (30, 30, 2)."),
    (np.zeros((3, 30, 30)), ValueError, f"{SHAPES} (3, 30, 30). Colours are put last by `picture.transpose(1, 2, 0)`."),
    (np.zeros((30, 30, 1)), ValueError, f"{SHAPES} (30, 30, 1). Grey is `picture[..., 0]`."),
    (np.zeros((1, 784)), ValueError, f"{SHAPES} (1, 784). {ROW}"),
    (np.zeros((1, 1), np.uint8), ValueError, "`picture` must have at least 5 pixels each way, got (1, 1)."),
    (np.zeros((9, 4, 3), np.uint8), ValueError, "`picture` must have at least 5 pixels each way, got (9, 4)."),
    (np.zeros((0, 9)), ValueError, "`picture` must have at least 5 pixels each way, got (0, 9)."),
    (np.zeros((9, 0), bool), ValueError, "`picture` must have at least 5 pixels each way, got (9, 0)."),
    (np.zeros((5000, 5), bool), ValueError, "`picture` must have at least 5 pixels each way, got (512, 1)."),
    (at(np.nan), ValueError, "`picture` must be finite in float64, got nan at (3, 4)."),
    (at(np.inf), ValueError, "`picture` must be finite in float64, got inf at (3, 4)."),
    (at(255), ValueError, "`picture` must be in [0, 1], as floats are, got a least of 0.0, a most of 255.0."),
    (at(-0.5), ValueError, "`picture` must be in [0, 1], as floats are, got a least of -0.5, a most of 0.0."),
    (at(256, int), ValueError, "`picture` must be from 0 to 255, got a least of 0, a most of 256."),
    (at(-1, np.int8), ValueError, "`picture` must be from 0 to 255, got a least of -1, a most of 0."),
    (seven() // 255, ValueError, f"{BLANK} A mask of 0 and 1 is given as booleans."),
    (G, ValueError, BLANK),
    (np.full((30, 30), 255, np.uint8), ValueError, BLANK),
    (seven(ink=200, ground=208), ValueError, BLANK),
    (np.zeros((30, 30, 4), np.uint8), ValueError, BLANK),
    (np.dstack([seven(), seven(), seven(), seven() * 0]), ValueError, BLANK),
    (at(255, np.uint8), ValueError, SPECKS),
    (noise("uniform"), ValueError, BLANK),
    (noise("normal"), ValueError, SPECKS),
    (noise("salt"), ValueError, SPECKS),
    (noise("dust"), ValueError, SPECKS),
]  # fmt: skip


@pytest.mark.parametrize(("picture", "kind", "message"), REFUSED)
def test_what_is_refused(picture: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=exactly(f"prepare: {message}")):
        images.prepare(picture)


@pytest.mark.parametrize("kind", ["normal", "uniform", "salt", "dust"])
@pytest.mark.parametrize("n", [28, 150, 600])
def test_noise_is_no_digit(kind: str, n: int) -> None:
    for seed in range(5):
        with pytest.raises(ValueError, match="noise alone"):
            images.prepare(noise(kind, seed, n))


@pytest.mark.parametrize(("side", "apart"), [(300, 95), (80, 10)])
def test_a_few_large_specks_and_many_are_no_digit(side: int, apart: int) -> None:
    picture = np.zeros((side, side), bool)
    for y in range(10, side - 5, apart):
        for x in range(10, side - 5, apart):
            picture[y : y + 3, x : x + 3] = True
    with pytest.raises(ValueError, match=exactly(f"prepare: {SPECKS}")):
        images.prepare(picture)


def test_empty_paper_is_no_digit(tmp_path: Path) -> None:
    y, x = np.mgrid[-1:1:300j, -1:1:400j]
    light = 210 * np.cos(np.arctan(0.3 * np.hypot(y, x))) ** 4  # as a lens darkens its corners
    paper = (light + np.random.default_rng(0).normal(0, 3, light.shape)).astype(np.uint8)
    pictures: list[Any] = [paper, file(tmp_path, paper, "paper.jpg", quality=60)]
    for picture in pictures:
        with pytest.raises(ValueError, match="noise alone"):
            images.prepare(picture)


def test_the_smallest_digit() -> None:
    picture = np.zeros((9, 9), bool)
    picture[2:7, 4] = True
    assert images.prepare(picture).fitted.shape == (20, 4)
    picture[6, 4] = False
    with pytest.raises(ValueError, match=exactly(f"prepare: {SPECKS}")):
        images.prepare(picture)


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    for content, got in [(b"", "an empty file"), (b"P5 1 1 255 0", "something else"), (b"\x89PNG\r\n\x1a\n", None)]:
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(ValueError, match="PNG or JPEG") as raised:
            images.prepare(tmp_path / "a.png")
        if got:
            assert str(raised.value) == f"prepare: `a.png` must be a PNG or JPEG file, got {got}."
    path = file(tmp_path, seven(), "a.gif")
    with pytest.raises(ValueError, match=exactly("prepare: `a.gif` must be a PNG or JPEG file, got something else.")):
        images.prepare(path)
    path = file(tmp_path, seven() * 0)
    with pytest.raises(
        ValueError, match=exactly("prepare: `digit.png` must show a digit, got a blank, or noise alone.")
    ):
        images.prepare(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        images.prepare(tmp_path / "none.png")
    assert raised.value.errno == errno.ENOENT
    with pytest.raises(OSError, match=r".") as raised_too:  # by Windows' name another one
        images.prepare(tmp_path)
    assert raised_too.value.filename is not None


@pytest.mark.parametrize("name", ["digit.png", "digit.jpg"])
def test_truncated_files(tmp_path: Path, name: str) -> None:
    noisy = seven() ^ np.random.default_rng(0).integers(0, 16, (90, 120)).astype(np.uint8)
    whole = file(tmp_path, noisy, name).read_bytes()
    images.prepare(tmp_path / name)
    for length in [*range(1, 60), *range(60, len(whole) - 20, len(whole) // 40)]:
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"^prepare: `{name}` (is not a whole|must be a) PNG or JPEG file"):
            images.prepare(tmp_path / name)


def test_files_with_broken_bytes_give_a_picture_or_one_error(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("digit.png", "digit.jpg"):
        whole = np.frombuffer(file(tmp_path, seven(), name).read_bytes(), np.uint8)
        for _ in range(150):
            broken = whole.copy()
            broken[draw.integers(0, len(broken), 3)] = draw.integers(0, 256, 3)
            (tmp_path / name).write_bytes(broken.tobytes())
            try:
                images.prepare(tmp_path / name)
            except ValueError as error:
                if not str(error).startswith(f"prepare: `{name}` "):
                    raise


def test_a_decompression_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = exactly("prepare: `digit.png` must have at most 5,000 pixels, got more. Make it smaller.")
    for most in (5000, 7000):  # 10,800 are more than twice the first and not than twice the second
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with pytest.raises(ValueError, match=message.replace("5,000", f"{most:,}")):
            images.prepare(file(tmp_path, seven()))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    same(tmp_path / "digit.png", SEVEN)


def test_a_bomb_of_text(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("note", "x" * 10_000_000, zip=True)
    with pytest.raises(ValueError, match=r"^prepare: `digit.png` is not a whole PNG or JPEG file: "):
        images.prepare(file(tmp_path, seven(), pnginfo=info))


def test_without_pillow_the_error_says_how_to_get_it() -> None:
    program = """
import sys
sys.modules["PIL"] = None
import numpy as np
from fnn import images
try:
    images.prepare(np.zeros((9, 9)))
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "prepare: Pillow is needed. Install it with `pip install pillow`.\n"


def test_sixteen_bits_are_turned_as_the_camera_noted(tmp_path: Path) -> None:
    upright = seven().astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x112] = 6  # turned by a quarter, to be turned back
    path = tmp_path / "digit.png"
    Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(path, exif=exif)
    same(path, SEVEN)


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    message = "prepare: `pipe.png` must be a PNG or JPEG file, got no regular file."
    with pytest.raises(ValueError, match=exactly(message)):
        images.prepare(tmp_path / "pipe.png")


def test_threads_leave_the_warning_filters_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    Image.fromarray(seven()).save(path)
    before, interval = list(warnings.filters), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: [images.prepare(path) for _ in range(20)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert warnings.filters == before


@pytest.mark.parametrize("shape", [(0, 1000), (1000, 0), (0, 600, 4), (4, 2000)])
def test_long_arrays_that_are_thin(shape: tuple[int, ...]) -> None:
    message = f"prepare: `picture` must have at least 5 pixels each way, got {shape[:2]}."
    with pytest.raises(ValueError, match=exactly(message)):
        images.prepare(np.zeros(shape, np.int64))
