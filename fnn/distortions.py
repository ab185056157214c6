"""Batches whose pictures are shifted, turned, scaled and bent, each by random numbers that have an address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import numpy as np

from fnn import checks, settings
from fnn.arrays import Array, Floats, Spec
from fnn.dataset import Batch
from fnn.randomness import DISTORTION, Address, uniform

_TILE = 256  # pictures at once, which bounds the memory
_DRAWN = 5  # numbers: shift by rows and columns, scale of both, angle


def _shape(sides: Any) -> Any:
    return tuple(sides) if isinstance(sides, Iterable) else sides  # what is none is refused later


def _two_sides(spec: Any, field: Any, value: Any) -> None:
    if not isinstance(value, tuple) or len(value) != 2 or not all(map(checks.is_whole, value)):
        rule = "must be two integers, rows and columns of pixels"
        raise checks.problem(TypeError, type(spec).__name__, field.name, rule, checks.show(value))
    for side in value:
        checks.count(type(spec).__name__, field.name, side, 1)
    object.__setattr__(spec, field.name, tuple(map(int, value)))


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

    Args:
        shift: in pixels, at least 0.
        rotate: in degrees, at least 0.
        scale: in [0, 1).
        elastic: α, in pixels, at least 0.
        sigma: σ, in pixels, above 0.
        shape: rows and columns of pixels, that a row of x is made of.

    Raises:
        TypeError, ValueError: for settings that are none of these.

    >>> from fnn import images
    >>> images.Distortion(rotate=10, elastic=34)
    Distortion(rotate=10.0, elastic=34.0)
    """

    shift: float = attrs.field(default=0.0, validator=settings.at_least_0)
    rotate: float = attrs.field(default=0.0, validator=settings.at_least_0)
    scale: float = attrs.field(default=0.0, validator=settings.from_0_below_1)
    elastic: float = attrs.field(default=0.0, validator=settings.at_least_0)
    sigma: float = attrs.field(default=4.0, validator=settings.above_0)
    shape: tuple[int, int] = attrs.field(default=(28, 28), converter=_shape, validator=_two_sides)


def distort(distortion: Distortion, batch: Batch) -> Batch:
    """The batch with each of its pictures shifted, turned, scaled and bent, on a ground of 0.

    The picture is looked up at q = c + S⁻¹ R⁻¹ (p − c − t) + e(p) for each pixel p: c is the middle, S scales rows
    and columns, R turns counterclockwise, t is the shift and e the elastic displacement; between pixels linearly,
    and outside there is 0. The draws' address is the batch's key: the same key is the same distortion, and another
    epoch another one. Training on them is a loop: `run = train_step(run, images.distort(distortion, batch))`.

    Args:
        distortion: how far.
        batch: with x of shape (n, rows · columns), as `distortion.shape` says; no sparse rows.

    Returns:
        The batch with another x, of its dtype, integers rounded; all else as it was.

    Raises:
        TypeError, ValueError: for arguments that are none of these.

    >>> import numpy as np, fnn
    >>> from fnn import images
    >>> x = np.zeros((1, 784), np.uint8)
    >>> x[0, 14 * 28 + 14] = 255
    >>> bent = images.distort(images.Distortion(shift=3), fnn.Batch(x, [0], key=fnn.Key(seed=0, epoch=0, batch=0)))
    >>> np.argwhere(bent.x.reshape(28, 28)).tolist(), int(bent.x.sum())  # 3 up, between columns
    ([[11, 14], [11, 15], [12, 14], [12, 15]], 255)
    """
    checks.instance("distort", "distortion", distortion, Distortion)
    checks.instance("distort", "batch", batch, Batch, "Make one with `Batch(x, y, key=Key(seed, epoch, batch))`.")
    h, w = distortion.shape
    x = checks.rows("distort", "batch.x", batch.x, None)
    if checks.is_sparse(x):
        got = f"{type(x).__name__} of shape {x.shape}"
        raise checks.problem(TypeError, "distort", "batch.x", "must not be sparse", got, "`x.toarray()` is not.")
    if x.shape[1] != h * w:
        rule, fix = f"must have shape (n, {h * w})", "Pictures that are not 28×28 want `Distortion(shape=…)`."
        raise checks.problem(ValueError, "distort", "batch.x", rule, str(x.shape), fix)
    made = np.empty(x.shape, x.dtype)
    for tile, start in enumerate(range(0, len(x), _TILE)):
        pictures = x[start : start + _TILE].reshape(-1, h, w)
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
    """The normal distribution over pixels, from each of so many in a row to each: symmetric, 1 over all distances."""
    near = np.exp(-0.5 * (np.arange(-20, 21) / sigma) ** 2).sum()
    total = near if sigma < 2 else sigma * np.sqrt(2 * np.pi)  # which is the sum over all integers, to 1e-34
    density: Floats = np.exp(-0.5 * (np.subtract.outer(np.arange(side), np.arange(side)) / sigma) ** 2) / total
    return density


def _looked_up(pictures: Array, places: Floats) -> Floats:
    """The values of the pictures at the places, in float64."""
    from scipy.ndimage import map_coordinates

    n = len(pictures)
    which = np.broadcast_to(np.arange(n)[:, None, None], places.shape[1:])
    values: Floats = map_coordinates(pictures, [which, *places], np.float64, order=1, mode="grid-constant")
    return values
