"""Batches whose pictures are shifted, turned, scaled and bent, each by random numbers that have an address."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from fnn import checks, settings
from fnn.arrays import Floats, Spec
from fnn.dataset import Batch
from fnn.randomness import DISTORTION, Address, uniform

_TILE = 256  # pictures at once, which bounds the memory, and is part of the address of what is drawn for them
_DRAWN = 5  # numbers: shift by rows and columns, scale of both, angle
_EXACT = 2**53  # integers up to it are floats

_pixels = settings.number("number in [0, 10000]", lambda value: 0 <= value <= 10_000)
_degrees = settings.number("number in [0, 180]", lambda value: 0 <= value <= 180)
_width = settings.number("number in [0.01, 10000]", lambda value: 0.01 <= value <= 10_000)


def _sides(value: Any) -> Any:
    is_pair = isinstance(value, list | tuple) and all(map(checks.is_whole, value))
    return tuple(map(int, value)) if is_pair else value  # what is none is refused


_two_sides = settings.that(
    "must be two integers of at least 1, rows and columns of pixels",
    lambda value: isinstance(value, tuple) and len(value) == 2 and all(checks.is_whole(n) and n > 0 for n in value),
)


@attrs.frozen(repr=False)
class Distortion(Spec):
    """How far pictures are shifted, turned, scaled and bent at most: what `distort` makes of a batch.

    A shift of 1 moves a picture by −1 to 1 pixels each way; a scale of 0.1 makes its height 0.9 to 1.1 times what it
    was, and its width apart from it; a turn of 10 is one of −10 to 10 degrees: each uniform, and one for a whole
    picture. `elastic` and `sigma` are α and σ of the elastic distortions of Simard, Steinkraus and Platt ("Best
    practices for convolutional neural networks applied to visual document analysis", 2003, section 2): each pixel is
    moved by α · (G_σ ∗ u), rows and columns apart, u uniform in [−1, 1) at each pixel and 0 outside the picture, and
    G_σ the normal distribution's density over the pixels. Far from the edges a pixel then moves by a root mean square
    of about α / (2 √(3π) σ) each way: of their best, α = 34 with σ = 4, by 1.4 pixels.

    `fnn.from_dict(…, Distortion)` reads one back from what `fnn.to_dict` makes of it.

    Args:
        shift: in pixels, 0 … 10,000.
        rotate: in degrees, 0 … 180.
        scale: in [0, 1).
        elastic: α, in pixels, 0 … 10,000.
        sigma: σ, in pixels, 0.01 … 10,000.
        shape: rows and columns of pixels that a row of x is made of, each at least 1.

    Raises:
        TypeError, ValueError: for settings that are none of these.

    >>> from fnn import images
    >>> images.Distortion(rotate=10, elastic=34)
    Distortion(rotate=10.0, elastic=34.0)
    """

    shift: float = attrs.field(default=0.0, validator=_pixels)
    rotate: float = attrs.field(default=0.0, validator=_degrees)
    scale: float = attrs.field(default=0.0, validator=settings.from_0_below_1)
    elastic: float = attrs.field(default=0.0, validator=_pixels)
    sigma: float = attrs.field(default=4.0, validator=_width)
    shape: tuple[int, int] = attrs.field(default=(28, 28), converter=_sides, validator=_two_sides)


def distort(distortion: Distortion, batch: Batch) -> Batch:
    """The batch with each of its pictures shifted, turned, scaled and bent, on a ground of 0.

    A picture's pixel p is what was at q = c + S⁻¹ R⁻¹ (p − c − t) + e(p): c is the middle, S scales rows and columns, R
    turns counterclockwise, t is the shift and e the elastic displacement. Between pixels the picture is linear, and
    outside it is 0. The draws' address is the batch's key: the same key makes the same of the same batch, and another
    epoch another. Training on them is a loop, `run = train_step(run, images.distort(distortion, batch))`; a run goes
    on in the same loop, for `fit` knows nothing of it.

    Args:
        distortion: how far.
        batch: with x of shape (n, rows · columns), as `distortion.shape` says: finite, integers within ±2⁵³, no sparse
            rows.

    Returns:
        The batch with another x, of its dtype, integers rounded, none beyond the picture's least and most, and 0; all
        else as it was.

    Raises:
        TypeError, ValueError: for arguments that are none of these.

    >>> import numpy as np, fnn
    >>> from fnn import images
    >>> x = np.zeros((1, 784), np.uint8)
    >>> x[0, 14 * 28 + 14] = 255
    >>> bent = images.distort(images.Distortion(shift=3), fnn.Batch(x, [0], key=fnn.Key(seed=0, epoch=0, batch=0)))
    >>> np.argwhere(bent.x.reshape(28, 28)).tolist(), int(bent.x.sum())  # 2.8 up, 0.9 right
    ([[11, 14], [11, 15], [12, 14], [12, 15]], 255)
    """
    checks.instance("distort", "distortion", distortion, Distortion)
    checks.instance("distort", "batch", batch, Batch, "Make one with `Batch(x, y, key=Key(seed, epoch, batch))`.")
    h, w = distortion.shape
    x = checks.rows("distort", "batch.x", batch.x, None)
    if checks.is_sparse(x):
        got, fix = f"a {type(x).__name__}", "Make it dense by `x.toarray()`."
        raise checks.problem(TypeError, "distort", "batch.x", "must not be sparse", got, fix)
    if x.shape[1] != h * w:
        rule, fix = (
            f"must have {h * w} columns, of {h}×{w} pixels",
            "`Distortion(shape=(rows, columns))` says of how many.",
        )
        raise checks.problem(ValueError, "distort", "batch.x", rule, f"{x.shape[1]}", fix)
    checks.finite("distort", "batch.x", x)
    if x.dtype.itemsize == 8 and x.dtype.kind in "ui" and (x.max() > _EXACT or x.min() < -_EXACT):
        got = f"a least of {x.min()}, a most of {x.max()}"
        raise checks.problem(ValueError, "distort", "batch.x", "must be within ±2**53", got)
    made = np.empty(x.shape, x.dtype)
    for tile, start in enumerate(range(0, len(x), _TILE)):
        pictures = x[start : start + _TILE].reshape(-1, h, w).astype(np.float64)
        at = Address(batch.key.seed, DISTORTION, (batch.key.epoch, batch.key.batch, tile))
        values = _looked_up(pictures, _places(distortion, at, len(pictures)))
        made[start : start + _TILE] = (values if x.dtype.kind == "f" else np.rint(values)).reshape(-1, h * w)
    return attrs.evolve(batch, x=made)


def _places(distortion: Distortion, at: Address, n: int) -> Floats:
    """Where each pixel of n pictures is looked up, shape (2, n, rows, columns): its row and its column."""
    h, w = distortion.shape
    size = _DRAWN + (2 * h * w if distortion.elastic else 0)  # of a picture, so that it does not depend on the others
    u = 2 * uniform(at, n * size).reshape(n, size) - 1
    drawn = u[:, :_DRAWN, None, None].swapaxes(0, 1)
    shift, scale, angle = distortion.shift * drawn[:2], 1 + distortion.scale * drawn[2:4], drawn[4]
    angle = np.deg2rad(distortion.rotate * angle)
    rows, columns = np.arange(h)[:, None], np.arange(w)
    down, across = rows - (h - 1) / 2 - shift[0], columns - (w - 1) / 2 - shift[1]
    sin, cos = np.sin(angle), np.cos(angle)
    places = np.stack(
        [
            (down * cos + across * sin) / scale[0] + (h - 1) / 2,
            (across * cos - down * sin) / scale[1] + (w - 1) / 2,
        ]
    )
    if distortion.elastic:
        noise = u[:, _DRAWN:].reshape(n, 2, h, w).swapaxes(0, 1)
        places += distortion.elastic * (_blur(h, distortion.sigma) @ noise @ _blur(w, distortion.sigma))
    return places


def _blur(side: int, sigma: float) -> Floats:
    """The normal distribution over pixels, from each of so many in a row to each: symmetric, 1 over all distances.

    The product with it is scipy's gaussian_filter, in a twentieth of the time.
    """
    near = np.exp(-0.5 * (np.arange(-20, 21) / sigma) ** 2).sum()
    total = near if sigma < 2 else sigma * np.sqrt(2 * np.pi)  # which is the sum over all integers, to 1e-34
    density: Floats = np.exp(-0.5 * (np.subtract.outer(np.arange(side), np.arange(side)) / sigma) ** 2) / total
    return density


def _looked_up(pictures: Floats, places: Floats) -> Floats:
    """The values of the pictures at the places."""
    from scipy.ndimage import map_coordinates

    which = np.broadcast_to(np.arange(len(pictures))[:, None, None], pictures.shape)
    values: Floats = map_coordinates(pictures, [which, *places], order=1, mode="grid-constant")
    least, most = pictures.min(axis=(1, 2), initial=0), pictures.max(axis=(1, 2), initial=0)
    return np.clip(values, least[:, None, None], most[:, None, None])  # rounding goes beyond them
