"""`images.distort` beside its formula, pixel by pixel; what its draws are distributed like; their address."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import pytest
from scipy import ndimage

import fnn
from fnn import images
from fnn.arrays import Array
from fnn.randomness import DISTORTION, Address, uniform
from tests.test_purity import assert_sealed, call_purely

KEY = fnn.Key(seed=3, epoch=1, batch=2)
ALL = images.Distortion(shift=2, rotate=30, scale=0.3, elastic=20, sigma=1.5, shape=(6, 9))


def pictures(n: int, shape: tuple[int, int] = (28, 28), dtype: Any = np.float64) -> Array:
    made = np.random.default_rng(0).uniform(0, 255, (n, shape[0] * shape[1]))
    return np.rint(made).astype(dtype) if np.dtype(dtype).kind != "f" else made.astype(dtype)


def distorted(distortion: images.Distortion, x: Array, key: fnn.Key = KEY) -> Array:
    return images.distort(distortion, fnn.Batch(x, np.zeros(len(x)), key=key)).x


def looked_up(picture: Array, row: float, column: float) -> float:
    """Between four pixels, on a ground of 0."""
    total = 0.0
    for r in (math.floor(row), math.floor(row) + 1):
        for c in (math.floor(column), math.floor(column) + 1):
            if 0 <= r < picture.shape[0] and 0 <= c < picture.shape[1]:
                total += (1 - abs(row - r)) * (1 - abs(column - c)) * picture[r, c]
    return total


def by_hand(d: images.Distortion, x: Array, key: fnn.Key) -> Array:
    """The formula, a pixel at a time: matrices multiplied and inverted, and scipy's smoothing of the noise."""
    (h, w), made = d.shape, np.zeros(x.shape)
    c = np.array([(h - 1) / 2, (w - 1) / 2])
    numbers = 5 + 2 * h * w
    u = 2 * uniform(Address(key.seed, DISTORTION, (key.epoch, key.batch, 0)), len(x) * numbers) - 1
    for i, drawn in enumerate(u.reshape(len(x), numbers)):
        t, s, angle = d.shift * drawn[:2], np.diag(1 + d.scale * drawn[2:4]), math.radians(d.rotate * drawn[4])
        # counterclockwise: what is to the right (column + 1) goes up (row − 1) at 90°
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        noise = drawn[5:].reshape(2, h, w)
        e = [d.elastic * ndimage.gaussian_filter(part, d.sigma, mode="constant", truncate=12) for part in noise]
        for r in range(h):
            for k in range(w):
                q = c + np.linalg.inv(turn @ s) @ ([r, k] - c - t) + [e[0][r, k], e[1][r, k]]
                made[i, r * w + k] = looked_up(x[i].reshape(h, w), *q)
    return made


@pytest.mark.parametrize("sigma", [0.3, 1.5, 3.0])
def test_all_at_once_is_the_formula(sigma: float) -> None:
    d, x = attrs.evolve(ALL, sigma=sigma), pictures(7, ALL.shape)
    np.testing.assert_allclose(distorted(d, x), by_hand(d, x, KEY), rtol=0, atol=1e-9)


@pytest.mark.parametrize("part", ["shift", "rotate", "scale", "elastic"])
def test_each_part_is_the_formula_of_it_alone(part: str) -> None:
    d = attrs.evolve(images.Distortion(shape=ALL.shape, sigma=ALL.sigma), **{part: getattr(ALL, part)})
    x = pictures(1, ALL.shape)  # of one picture the first numbers are the same whether or not there is noise
    np.testing.assert_allclose(distorted(d, x), by_hand(d, x, KEY), rtol=0, atol=1e-9)
    assert np.abs(distorted(d, x) - x).mean() > 10


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.int64, np.uint64, np.float16, np.float32, np.float64, np.longdouble, np.bool_]
)
def test_nothing_is_the_pictures_themselves(dtype: Any) -> None:
    x = pictures(3, dtype=dtype)
    same = distorted(images.Distortion(), x)
    assert same.dtype == dtype
    np.testing.assert_array_equal(same, x)


def test_integers_are_rounded_floats() -> None:
    x = pictures(300, dtype=np.uint8)
    d = images.Distortion(shift=1, rotate=10, scale=0.1, elastic=34)
    made = distorted(d, x)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, np.rint(distorted(d, x.astype(np.float64))))
    np.testing.assert_allclose(distorted(d, x.astype(np.float32)), distorted(d, x.astype(float)), rtol=1e-6, atol=1e-4)


def test_nothing_goes_beyond_the_picture() -> None:
    for most in (1.0, 1e308, 255.0):
        x = np.tile([[most], [-most]], (8, 784)).reshape(16, 784)
        x[8:] *= 0.5
        made = distorted(images.Distortion(shift=1, rotate=10, scale=0.1, elastic=34), x)
        assert (np.abs(made) <= np.abs(x)).all()
        assert (np.sign(made) * np.sign(x) >= 0).all()
        assert (made != x).any()


@pytest.mark.parametrize(
    "extreme", [{"shift": 1e4}, {"elastic": 1e4, "sigma": 0.01}, {"elastic": 1e4, "sigma": 1e4}, {"scale": 1 - 1e-16}]
)
def test_the_most_that_settings_may_be(extreme: dict[str, float]) -> None:
    x = pictures(3)
    with np.errstate(all="raise", under="ignore"):
        made = distorted(images.Distortion(rotate=180, **extreme), x)
    assert np.isfinite(made).all()
    assert made.min() >= 0
    assert made.max() <= x.max()


# What the draws are like: on a ramp the picture says where it was looked up.


def moved(d: images.Distortion, n: int = 4000) -> Array:
    """How far the pixels of two ramps, by rows and by columns, are from where they were, around the middle."""
    side = np.arange(28.0)
    ramps = np.stack(np.meshgrid(side, side, indexing="ij")).reshape(2, 784)
    found = [distorted(d, np.tile(ramp, (n, 1))) - ramp for ramp in ramps]
    return np.stack(found).reshape(2, n, 28, 28)[..., 12:17, 12:17]


def test_shifts_are_uniform_and_apart() -> None:
    t = -moved(images.Distortion(shift=3))
    assert np.ptp(t, axis=(2, 3)).max() < 1e-9  # a whole picture's
    t = t[:, :, 0, 0]
    assert np.abs(t).max() <= 3
    assert np.sort(t, axis=1)[:, ::1000] == pytest.approx(np.tile([-3, -1.5, 0, 1.5], (2, 1)), abs=0.15)
    assert abs(np.corrcoef(t)[0, 1]) < 0.05


def test_scales_are_uniform_and_apart() -> None:
    off = moved(images.Distortion(scale=0.2))
    s = 1 / (1 + np.stack([off[0, :, 1, 0] - off[0, :, 0, 0], off[1, :, 0, 1] - off[1, :, 0, 0]]))
    assert np.sort(s, axis=1)[:, ::1000] == pytest.approx(np.tile([0.8, 0.9, 1, 1.1], (2, 1)), abs=0.01)
    assert s.max() < 1.2
    assert abs(np.corrcoef(s[0], s[1])[0, 1]) < 0.05


def test_turns_are_uniform_and_keep_lengths() -> None:
    off = moved(images.Distortion(rotate=20))
    cos, sin = 1 + off[0, :, 1, 0] - off[0, :, 0, 0], off[0, :, 0, 1] - off[0, :, 0, 0]
    assert np.hypot(cos, sin) == pytest.approx(1)
    angle = np.sort(np.rad2deg(np.arctan2(sin, cos)))
    assert angle[::1000] == pytest.approx([-20, -10, 0, 10], abs=1)
    assert angle.max() < 20


@pytest.mark.parametrize(("alpha", "sigma"), [(34, 4), (10, 2)])
def test_the_elastic_field_is_as_large_and_as_smooth_as_it_says(alpha: float, sigma: float) -> None:
    e: Any = moved(images.Distortion(elastic=alpha, sigma=sigma))
    size = alpha / (2 * math.sqrt(3 * math.pi) * sigma)
    assert e.std(axis=1).mean() == pytest.approx(size, rel=0.02)
    if alpha == 34:
        assert f"{size:.1f}" == "1.4"
    assert abs(e.mean()) < 0.05
    assert abs(np.corrcoef(e[0, :, 2, 2], e[1, :, 2, 2])[0, 1]) < 0.05
    for apart in (1, 4):  # two smoothed by the same normal distribution: a normal one of twice the variance
        alike = np.corrcoef(e[0, :, 0, 0], e[0, :, 0, apart])[0, 1]
        assert alike == pytest.approx(math.exp(-(apart**2) / (4 * sigma**2)), abs=0.03)


# The address.


def test_a_key_says_it_all() -> None:
    d, x = images.Distortion(shift=2, elastic=34), pictures(4)
    made = distorted(d, x)
    np.testing.assert_array_equal(distorted(d, x), made)
    for key in (fnn.Key(4, 1, 2), fnn.Key(3, 2, 2), fnn.Key(3, 1, 3)):
        assert (distorted(d, x, key) != made).mean() > 0.9
    same = np.tile(x[:1], (4, 1))
    assert all((a != b).mean() > 0.9 for a, b in zip(distorted(d, same)[1:], distorted(d, same)[:-1], strict=True))


def test_a_picture_does_not_depend_on_how_many_come_after_it() -> None:
    d, x = images.Distortion(shift=2, rotate=9, elastic=34), pictures(600)
    made = distorted(d, x)
    for n in (1, 10, 256, 257):
        np.testing.assert_array_equal(distorted(d, x[:n]), made[:n])
    same = distorted(d, np.tile(x[:1], (257, 1)))
    assert (same[256] != same[0]).mean() > 0.9  # the next tile draws elsewhere


def test_the_rest_of_the_batch_stays_and_nothing_is_changed() -> None:
    x, y, w = pictures(5), np.arange(5), np.arange(5.0)
    batch = fnn.Batch(x, y, w, np.arange(5) * 7, key=KEY)
    made = call_purely(images.distort, images.Distortion(shift=1), batch)
    assert_sealed(made)
    assert (made.y.tolist(), made.sample_weight.tolist(), made.rows.tolist(), made.key) == (
        y.tolist(), w.tolist(), batch.rows.tolist(), KEY,
    )  # fmt: skip


@pytest.mark.parametrize("order", ["F", "strided", "reversed"])
def test_any_memory_order_will_do(order: str) -> None:
    x = pictures(6)
    given = {"F": np.asfortranarray(x), "strided": np.repeat(x, 2, axis=1)[:, ::2], "reversed": x[::-1].copy()[::-1]}
    np.testing.assert_array_equal(
        distorted(images.Distortion(elastic=9), given[order]), distorted(images.Distortion(elastic=9), x)
    )


def test_it_trains_in_a_loop_that_is_resumed() -> None:
    digits = fnn.load_digits()
    d = images.Distortion(shift=1, rotate=10, shape=(8, 8))

    def trained(run: fnn.TrainState, to: int) -> fnn.TrainState:
        for epoch in range(run.epoch, to):
            for batch in fnn.batches(digits, epoch=epoch):
                run = fnn.train_step(run, images.distort(d, batch))
            run = fnn.end_epoch(run)
        return run

    first = fnn.start(fnn.mlp(64, 16, 10, input_scale=1 / 16))
    assert fnn.digest(trained(trained(first, 1), 2)) == fnn.digest(trained(first, 2))


# What it refuses.


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"shift": -1}, ValueError, "`shift` must be a number in [0, 10000], got -1."),
        ({"rotate": math.nan}, ValueError, "`rotate` must be a number in [0, 180], got nan."),
        ({"rotate": 181}, ValueError, "`rotate` must be a number in [0, 180], got 181."),
        ({"scale": 1}, ValueError, "`scale` must be a number in [0, 1), got 1."),
        ({"elastic": "34"}, TypeError, "`elastic` must be a number in [0, 10000], got '34'."),
        ({"sigma": 0}, ValueError, "`sigma` must be a number in [0.01, 10000], got 0."),
        *(
            ({"shape": given}, ValueError,
             f"`shape` must be two integers of at least 1, rows and columns of pixels, got {shown}.")
            for given, shown in [
                (28, "28"), ((8, 8, 1), "(8, 8, 1)"), ((0, 28), "(0, 28)"), ((2.0, 3), "(2.0, 3)"), ({28}, "{28}"),
                (np.array(28), "an array of int64 with shape ()"), ((True, 2), "(True, 2)"), (b"28", "b'28'"),
            ]
        ),
    ],
)  # fmt: skip
def test_settings_that_are_none(settings: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        images.Distortion(**settings)
    assert str(caught.value) == f"Distortion: {message}"


def test_batches_that_are_none() -> None:
    from scipy.sparse import csr_array

    d, key = images.Distortion(), KEY
    for given, kind, message in [
        (pictures(2), TypeError, "`batch` must be a Batch, got an ndarray. Make one with "
         "`Batch(x, y, key=Key(seed, epoch, batch))`."),
        (fnn.Batch(np.zeros((2, 64)), [0, 1], key=key), ValueError,
         "`batch.x` must have 784 columns, of 28×28 pixels, got 64. "
         "`Distortion(shape=(rows, columns))` says of how many."),
        (fnn.Batch(np.zeros((2, 28, 28)), [0, 1], key=key), ValueError,
         "`batch.x` must have shape (n, columns), got (2, 28, 28). "
         "Rows are made flat by `batch.x.reshape(len(batch.x), -1)`."),
        (fnn.Batch(csr_array(np.ones((2, 784))), [0, 1], key=key), TypeError,
         "`batch.x` must not be sparse, got a csr_array. Make it dense by `x.toarray()`."),
        (fnn.Batch(np.full((1, 784), 2**53 + 1), [0], key=key), ValueError,
         "`batch.x` must be within ±2**53, got a least of 9007199254740993, a most of 9007199254740993."),
        (fnn.Batch(np.where(np.arange(1568) == 790, np.nan, 1.0).reshape(2, 784), [0, 1], key=key), ValueError,
         "`batch.x` must be finite in float64, got nan at (1, 6)."),
    ]:  # fmt: skip
        with pytest.raises(kind) as caught:
            images.distort(d, given)  # type: ignore[arg-type]
        assert str(caught.value) == f"distort: {message}"
    with pytest.raises(TypeError, match=r"^distort: `distortion` must be a Distortion, got a dict\.$"):
        images.distort({"shift": 1}, fnn.Batch(pictures(1), [0], key=key))  # type: ignore[arg-type]


def test_a_spec_is_a_value() -> None:
    d = images.Distortion(shift=1, shape=[8, 8])
    assert d == images.Distortion(shift=1.0, shape=(8, 8))
    assert len({d, images.Distortion(shift=np.float64(1), shape=(np.int64(8), 8))}) == 1
    assert repr(d) == "Distortion(shift=1.0, shape=(8, 8))"
    assert fnn.from_dict(fnn.to_dict(d), images.Distortion) == d
