"""`fnn.images` on pictures made by hand, under what must not matter, and on MNIST."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

import fnn
from fnn import images
from fnn.arrays import Array
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
