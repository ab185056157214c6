"""`fnn.images` on pictures made by hand, under what must not matter, from files of every kind, and on MNIST."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import fnn
from fnn import images
from fnn.arrays import Array
from tests.stand_ins import exactly
from tests.test_published import needs_mnist
from tests.test_purity import assert_sealed, call_purely


def seven(h: int = 90, w: int = 120, y: int = 20, x: int = 30, ink: int = 0, ground: int = 255) -> Array:
    """A 7 of square strokes, 40×24 pixels, each 8 wide: a bar above, a leg at the right."""
    picture = np.full((h, w), ground, np.uint8)
    picture[y : y + 8, x : x + 24] = ink
    picture[y : y + 40, x + 16 : x + 24] = ink
    return picture


def same(picture: Any, expected: images.Preparation, off: int = 0) -> None:
    image = images.prepare(picture).image
    assert np.abs(image.astype(int) - expected.image).max() <= off


SEVEN = images.prepare(seven())


# By hand.


def test_a_seven_by_hand() -> None:
    assert SEVEN.inverted
    np.testing.assert_array_equal(SEVEN.grey, seven())
    np.testing.assert_array_equal(SEVEN.ink, 255 - seven())
    box = np.zeros((40, 24))
    box[:8] = box[:, 16:] = 255
    np.testing.assert_array_equal(SEVEN.cropped, box)
    # half as large, 20×12 with strokes of 4; the filter rounds only the edges of the strokes
    assert SEVEN.fitted.shape == (20, 12)
    half = box[::2, ::2]
    off = SEVEN.fitted - half
    assert np.abs(off).max() <= 40
    assert np.abs(off[:3]).max() == np.abs(off[:, 9:]).max() == np.abs(off[6:, :6]).max() == 0
    # the leg's 20·4 pixels have their centre at (9.5, 9.5), the other 4·8 of the bar at (1.5, 3.5)
    y, x = (80 * 9.5 + 32 * 1.5) / 112, (80 * 9.5 + 32 * 3.5) / 112
    top, left = round(14 - y), round(14 - x)
    assert (top, left) == (7, 6)
    np.testing.assert_array_equal(SEVEN.image[7:27, 6:18], SEVEN.fitted)
    assert SEVEN.image.sum() == SEVEN.fitted.sum()


@pytest.mark.parametrize(
    ("colour", "luma"),
    [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29), ((255, 255, 255), 255), ((100, 150, 200), 141)],
)
def test_luma_by_hand(colour: tuple[int, int, int], luma: int) -> None:
    picture = np.zeros((30, 30, 3), np.uint8)
    picture[10:20, 12:15] = colour
    prepared = images.prepare(picture)
    assert prepared.grey[15, 13] == luma
    assert not prepared.inverted


def test_luma_is_pillows() -> None:
    picture = np.repeat(seven()[..., None], 3, axis=2) // 2 + np.random.default_rng(0).integers(
        0, 90, (90, 120, 3)
    ).astype(np.uint8)
    theirs = np.asarray(Image.fromarray(picture).convert("L"))
    assert np.abs(images.prepare(picture).grey.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize(
    ("h", "w", "size"), [(40, 40, (20, 20)), (80, 20, (20, 5)), (15, 60, (5, 20)), (300, 4, (20, 1)), (7, 10, (14, 20))]
)
def test_the_ratio_is_kept_in_the_box(h: int, w: int, size: tuple[int, int]) -> None:
    picture = np.zeros((h + 40, w + 60), bool)
    picture[10 : 10 + h, 40 : 40 + w] = True
    prepared = images.prepare(picture)
    assert prepared.cropped.shape == (h, w)
    assert prepared.fitted.shape == size
    assert (prepared.fitted == 255).all()
    # of a block the middle is known: row and column 14, or half a pixel before
    rows, columns = np.nonzero(prepared.image)
    assert 13.5 <= rows.mean() <= 14.5
    assert 13.5 <= columns.mean() <= 14.5


def test_any_shape_and_any_pixels_give_an_image_or_a_value_error() -> None:
    draw = np.random.default_rng(0)
    for _ in range(300):
        h, w = (int(side) for side in 5 * np.exp(draw.uniform(0, 4.7, 2)))
        picture = np.full((h, w), draw.integers(0, 256), np.uint8)
        for _ in range(draw.integers(1, 4)):
            (top, bottom), (left, right) = (np.sort(draw.integers(0, side + 1, 2)) for side in (h, w))
            picture[top:bottom, left:right] = draw.integers(0, 256)
        try:
            prepared = images.prepare(picture)
        except ValueError:
            continue
        assert prepared.image.shape == (28, 28)
        assert (max(prepared.fitted.shape), prepared.image.max(), prepared.ink.max()) == (20, 255, 255)


def test_the_centre_of_mass_is_in_the_middle() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        picture = np.zeros((60, 60), np.uint8)
        for y, x in draw.integers(10, 40, (4, 2)):
            picture[y : y + 12, x : x + 5] = 255
        image = images.prepare(picture).image.astype(float)
        for sums in (image.sum(axis=1), image.sum(axis=0)):
            assert abs(np.average(np.arange(28), weights=sums) - 14) <= 0.5


def test_a_box_stays_whole_where_the_mass_is_at_one_end() -> None:
    picture = np.zeros((60, 40), np.uint8)
    picture[10:50, 18:20] = 255
    picture[42:50, 5:35] = 255
    prepared = images.prepare(picture)
    assert prepared.image.sum() == prepared.fitted.sum()
    assert prepared.image[0].any()  # it could not go further up


# What must not matter.


@pytest.mark.parametrize(("y", "x"), [(1, 1), (45, 90), (20, 1), (3, 60)])
def test_the_place_does_not_matter(y: int, x: int) -> None:
    same(seven(y=y, x=x), SEVEN)


@pytest.mark.parametrize("border", [1, 20, 150])
def test_nor_does_more_ground(border: int) -> None:
    same(np.pad(seven(), border, constant_values=255), SEVEN)


def test_nor_how_dark_or_light() -> None:
    assert not images.prepare(255 - seven()).inverted
    for ink, ground in [(255, 0), (0, 100), (180, 200), (90, 60), (20, 255)]:
        same(seven(ink=ink, ground=ground), SEVEN)


def test_nor_the_kind_of_array() -> None:
    grey = seven()
    rgb = np.stack([grey] * 3, axis=-1)
    same(rgb, SEVEN)
    same(np.dstack([rgb, np.full_like(grey, 255)]), SEVEN)
    same(grey > 100, SEVEN)
    same(grey / 255, SEVEN)
    same((rgb / 255).astype(np.float32), SEVEN)
    same(grey.astype(np.int64), SEVEN)
    same(grey.tolist(), SEVEN)
    same(np.asfortranarray(grey), SEVEN)
    same(np.repeat(np.repeat(grey, 2, axis=0), 3, axis=1)[::2, ::3], SEVEN)
    same(rgb.transpose(2, 0, 1)[::-1].transpose(1, 2, 0), SEVEN)
    same(seven()[:, ::-1][:, ::-1], SEVEN)


@pytest.mark.parametrize("ink", [0, 255, 90, 160])
def test_ink_on_transparency(ink: int) -> None:
    shape = 255 - seven()
    hidden = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)  # colours that nobody sees
    picture = np.dstack([np.where(shape[..., None] > 0, np.uint8(ink), hidden), shape])
    prepared = images.prepare(picture)
    np.testing.assert_array_equal(prepared.image, SEVEN.image)
    assert prepared.inverted is (ink < 128)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_cut_out_sheet_has_ground_around_it(sign: int) -> None:
    sheet = seven(ink=127 - sign * 80, ground=127 + sign * 80)
    alpha = np.zeros((200, 200), np.uint8)
    alpha[50:140, 40:160] = 255
    grey = np.random.default_rng(0).integers(0, 256, (200, 200)).astype(np.uint8)
    grey[50:140, 40:160] = sheet
    same(np.dstack([grey, grey, grey, alpha]), SEVEN)


def test_light_strokes_half_transparent_at_their_edges() -> None:
    soft = np.asarray(Image.fromarray(255 - seven()).resize((60, 45), Image.Resampling.BILINEAR))
    prepared = images.prepare(np.dstack([soft] * 4))  # the edges are half dark too
    assert not prepared.inverted
    same(soft, prepared, 60)


def test_specks_and_a_frame_are_no_part_of_the_digit() -> None:
    picture = seven()
    picture[[0, -1]] = picture[:, [0, -1]] = 0
    picture[70:73, 100:102] = 0
    picture[5, 10] = 0
    prepared = images.prepare(picture)
    np.testing.assert_array_equal(prepared.cropped, SEVEN.cropped)
    picture[45:47, 33:35] = 0  # within the box
    np.testing.assert_array_equal(images.prepare(picture).cropped, SEVEN.cropped)


def test_thin_strokes_do_not_become_faint() -> None:
    picture = np.zeros((240, 240), np.uint8)
    picture[20:220, 100] = picture[20, 60:101] = 255  # a tenth of a pixel wide in 20×20
    assert images.prepare(picture).cropped.shape == (200, 41)
    assert images.prepare(picture).image.max() == 255


def test_a_digit_that_touches_the_edge() -> None:
    same(seven()[20:, :54], SEVEN)
    same(seven()[:60, 30:], SEVEN)


def test_noise_and_uneven_light() -> None:
    draw = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:90j, -1:1:120j]
    for light in (200 + 40 * x - 10 * y, 200 - 30 * (x * x + y * y), 120 - 60 * x):
        photo = light * (1 - 0.6 * (seven() == 0)) + draw.normal(0, 4, (90, 120))
        prepared = images.prepare(photo.clip(0, 255).astype(np.uint8))
        assert prepared.inverted
        assert prepared.cropped.shape == SEVEN.cropped.shape
        assert np.abs(prepared.image - SEVEN.image.astype(float)).mean() < 10


def test_a_digit_in_pieces_is_whole() -> None:
    picture = seven()
    picture[26:34] = 255  # a gap between the bar and the leg
    assert images.prepare(picture).cropped.shape == (40, 24)


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
    assert done.stdout == "prepare: pictures need Pillow. Install it by `pip install pillow`.\n"


# The record.


def test_it_is_pure_and_sealed() -> None:
    for array in (seven(), seven() / 255, np.dstack([seven()] * 4), np.asfortranarray(seven())):
        prepared = call_purely(images.prepare, array)
        assert_sealed(prepared)
        assert not any(np.shares_memory(array, stage) for _, stage in prepared.stages)
    assert fnn.digest(images.prepare(seven())) == fnn.digest(SEVEN)


def test_the_stages_and_the_row() -> None:
    assert [name for name, _ in SEVEN.stages] == ["grey", "ink", "cropped", "fitted", "image"]
    assert all(array is getattr(SEVEN, name) and array.dtype == np.uint8 for name, array in SEVEN.stages)
    assert SEVEN.row.shape == (1, 784)
    with pytest.raises(ValueError, match="read-only"):
        SEVEN.row[0, 0] = 1
    network = fnn.mlp(784, 10, input_scale=1 / 255)
    assert fnn.forward(network, fnn.init_params(network, seed=0), SEVEN.row).shape == (1, 10)
    assert repr(SEVEN).startswith("Preparation(grey=uint8[90, 120], ink=uint8[90, 120], cropped=uint8[40, 24], ")


# MNIST.


def on_canvas(draw: np.random.Generator, image: Array) -> Array:
    """A test image enlarged 2 to 5 times, anywhere on 220×220 pixels; half inverted; RGB, RGBA, or ink alone."""
    side = int(28 * draw.uniform(2, 5))
    y, x = draw.integers(0, 221 - side, 2)
    canvas = np.zeros((220, 220), np.uint8)
    canvas[y : y + side, x : x + side] = np.asarray(Image.fromarray(image).resize((side, side)))
    grey = 255 - canvas if draw.random() < 0.5 else canvas
    alpha = [[], [np.full_like(grey, 255)], [canvas]][draw.integers(3)]
    return np.stack([grey, grey, grey, *alpha], axis=-1)


@needs_mnist
def test_five_hundred_digits_on_canvases_are_recognized_like_their_originals() -> None:
    train, test = fnn.load_mnist()
    network = fnn.mlp(784, 128, 10, input_scale=1 / 255)
    run = fnn.fit(network, train, optimizer=fnn.Adam(1e-3), epochs=4, batch_size=128)
    draw = np.random.default_rng(0)
    rows = draw.choice(len(test), 500, replace=False)
    canvases = [on_canvas(draw, image) for image in test.x[rows].reshape(-1, 28, 28)]
    raw = [np.asarray(Image.fromarray(each).convert("L").resize((28, 28))).reshape(784) for each in canvases]
    of_originals, of_prepared, of_raw = (
        fnn.accuracy(test.y[rows], fnn.predict(network, run.params, x))
        for x in (test.x[rows], np.concatenate([images.prepare(each).row for each in canvases]), np.stack(raw))
    )
    assert of_prepared >= of_originals - 0.02
    assert of_originals > 0.95
    assert of_raw < 0.3
