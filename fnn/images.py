"""Pictures of digits made into what MNIST's images are, and such images distorted: `from fnn import images`."""

from __future__ import annotations

import os
import threading
import warnings
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fnn import checks
from fnn.arrays import Array, Floats, State, sealed
from fnn.distortions import Distortion, distort

__all__ = ["Distortion", "Preparation", "distort", "prepare"]

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]

_WARNINGS = threading.Lock()  # their filters are those of the whole process
_SIDE = 512  # pixels: what is longer is shrunk
_LEAST = 5  # pixels: 3×5 is the smallest box in which ten digits differ
_CONTRAST = 12  # levels of 255 from the ground; what light and JPEG make of blank paper has less


@attrs.frozen(eq=False, repr=False)
class Preparation(State):
    """A picture on its way to one of MNIST's images: every stage, each an array of uint8.

    Attributes:
        grey: the picture's luma, shape (h, w), the longer side at most 512.
        ink: how far each pixel is from the ground, shape (h, w): 0 on the ground, 255 where it is furthest.
        cropped: the ink in the box of the digit, without specks.
        fitted: that in 20×20 pixels: the longer side is 20, the ratio kept, the most ink 255.
        image: shape (28, 28): that with the centre of mass in the middle.
        inverted: whether the digit was darker than its ground.
    """

    grey: Pixels = attrs.field(converter=sealed)
    ink: Pixels = attrs.field(converter=sealed)
    cropped: Pixels = attrs.field(converter=sealed)
    fitted: Pixels = attrs.field(converter=sealed)
    image: Pixels = attrs.field(converter=sealed)
    inverted: bool

    @property
    def stages(self) -> tuple[tuple[str, Pixels], ...]:
        """The name and the array of each stage, in order."""
        return tuple((name, getattr(self, name)) for name in ("grey", "ink", "cropped", "fitted", "image"))

    @property
    def row(self) -> Pixels:
        """The image as x, shape (1, 784), for a network with `input_scale=1 / 255`."""
        return self.image.reshape(1, -1)


def prepare(picture: str | os.PathLike[str] | ArrayLike) -> Preparation:
    """Make a photo or drawing of one digit into an image like MNIST's.

    The stages:

    1. Grey: luma = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601, section 2.5.1), after shrinking to a longer side of at
       most 512. What is transparent becomes the ground: the median luma of what is not, if that has a contrast
       of its own (a cut-out photo), else black or white, whichever is further from it (ink alone).
    2. Ink: the ground is taken away: the median of the picture's edge; or in uneven light the surface of second degree
       that is nearest to all of the picture in absolute deviations, where it is twice as near to the edge too (by the
       median deviation). Of what is darker and what is lighter, that with the larger sum of cubes is the ink,
       stretched to 255.
    3. The digit: the pieces above the threshold of Otsu, "A threshold selection method from gray-level histograms",
       1979, found between the ink that stands out from the noise and as many pixels of ground. Pieces smaller than a
       tenth of the largest are left out, as are those at the edge where there are others. The box is theirs.
    4. The image: the box fits into 20×20 pixels with its ratio kept, and stands in 28×28 so that the centre of mass is
       in the middle (LeCun et al., "Gradient-based learning applied to document recognition", 1998, section III.A):
       at row and column 14, by whole pixels, as it is in MNIST's files, as far as the box stays inside.

    The digit may be dark or light, thick or thin, anywhere, of any size of at least 5 pixels. The ground must reach
    most of the picture's edge; an edge of shadow that crosses the picture, or lines on the paper as dark as the digit,
    are taken for ink.

    Args:
        picture: the path of a PNG or JPEG file (its EXIF orientation is applied), or an array: grey (h, w), RGB
            (h, w, 3) or RGBA (h, w, 4), at least 5 pixels each way, of integers from 0 to 255, booleans (True is
            white), or floats in [0, 1].

    Raises:
        TypeError: for what is neither a path nor an array of real numbers.
        ValueError: for a file that is no PNG or JPEG, is broken, or has more pixels than Pillow's
            `Image.MAX_IMAGE_PIXELS`; for arrays of other shapes or values; for a picture that is blank, or has nothing
            but noise in it.
        OSError: where the file cannot be read.
        ModuleNotFoundError: without Pillow.

    >>> import numpy as np
    >>> from fnn import images
    >>> paper = np.full((100, 60), 200, np.uint8)
    >>> paper[30:70, 20:30] = 50  # a one: 40 pixels high, 10 wide
    >>> p = images.prepare(paper)
    >>> p.inverted, [(name, array.shape) for name, array in p.stages[2:]]
    (True, [('cropped', (40, 10)), ('fitted', (20, 5)), ('image', (28, 28))])
    >>> np.argwhere(p.image == 255)[[0, -1]].tolist()  # the corners
    [[4, 12], [23, 16]]
    """
    _need_pillow()
    if isinstance(picture, str | os.PathLike):
        name, pixels = os.path.basename(os.fspath(picture)), _from_file(picture)
    else:
        name, pixels = "picture", _from_array(picture)
    _check_size(name, pixels)
    grey = _luma(pixels)
    difference, least = _from_ground(grey)
    strong = np.where(np.abs(difference) > least, difference, 0)
    inverted = bool((strong**3).sum() < 0)
    inks = np.maximum(-difference if inverted else difference, 0)
    if not strong.any():
        fix = "A mask of 0 and 1 is given as booleans." if grey.max() == 1 else ""
        got = "a blank, or noise alone"
        raise checks.problem(ValueError, "prepare", name, "must show a digit", got, fix)
    scale = 255 / inks.max()
    ink = _rounded(inks * scale)
    cropped = _cropped(name, ink, least * scale)
    fitted = _fitted(cropped)
    return Preparation(grey, ink, cropped, fitted, _centred(fitted), inverted)


def _check_size(name: str, pixels: Array) -> None:
    if min(pixels.shape[:2]) < _LEAST:
        rule = f"must have at least {_LEAST} pixels each way"
        raise checks.problem(ValueError, "prepare", name, rule, str(pixels.shape[:2]))


def _need_pillow() -> None:
    try:
        import PIL  # noqa: F401  # only whether it is there
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("prepare: Pillow is needed. Install it with `pip install pillow`.") from error


def _from_file(path: str | os.PathLike[str]) -> Pixels:
    from PIL import Image, ImageOps, UnidentifiedImageError

    name = os.path.basename(os.fspath(path))
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):  # a pipe, which may have no end
        raise checks.problem(ValueError, "prepare", name, "must be a PNG or JPEG file", "no regular file")
    with open(path, "rb") as file, _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of metadata that are broken
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(file, formats=("PNG", "JPEG")) as image:
                ImageOps.exif_transpose(image, in_place=True)
                return np.asarray(_shrunk(image))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            rule, fix = f"must have at most {Image.MAX_IMAGE_PIXELS:,} pixels", "Make it smaller."
            raise checks.problem(ValueError, "prepare", name, rule, "more", fix) from None
        except UnidentifiedImageError:
            file.seek(0)
            rule, got = "must be a PNG or JPEG file", "something else" if file.read(1) else "an empty file"
            raise checks.problem(ValueError, "prepare", name, rule, got) from None
        except Exception as error:  # Pillow raises whatever its readers stumble over
            raise ValueError(f"prepare: `{name}` is not a whole PNG or JPEG file: {error}.") from None


def _from_array(value: object) -> Pixels:
    from PIL import Image

    if isinstance(value, Image.Image):  # as an array, one with a palette would be the colours' numbers
        fix = "Give its path, or `np.asarray(picture.convert('RGBA'))`."
        raise checks.problem(TypeError, "prepare", "picture", "must be a path or an array", "Pillow's image", fix)
    array = checks.numeric("prepare", "picture", value)
    shape = array.shape
    row = shape in ((784,), (1, 784))
    if row or len(shape) not in (2, 3) or shape[2:] not in ((), (3,), (4,)):
        fix = ""
        if row:
            fix = "One row of pixels is made an image by `picture.reshape(28, 28)`."
        elif len(shape) == 3 and shape[0] in (3, 4):
            fix = "Colours are put last by `picture.transpose(1, 2, 0)`."
        elif shape[2:] == (1,):
            fix = "Grey is `picture[..., 0]`."
        raise checks.problem(ValueError, "prepare", "picture", "must have shape (h, w), (h, w, 3) or (h, w, 4)",
                             str(shape), fix)  # fmt: skip
    _check_size("picture", array)
    checks.finite("prepare", "picture", array)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype != np.uint8:
        most, what = (1, "in [0, 1], as floats are") if array.dtype.kind == "f" else (255, "from 0 to 255")
        if array.min() < 0 or array.max() > most:
            got = f"a least of {array.min()}, a most of {array.max()}"
            raise checks.problem(ValueError, "prepare", "picture", f"must be {what}", got)
        array = _rounded(array * (255 / most))
    return array if max(shape[:2]) <= _SIDE else np.asarray(_shrunk(Image.fromarray(array)))


def _shrunk(image: Image.Image) -> Image.Image:
    """In grey, RGB or RGBA, its longer side at most `_SIDE`."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits, which `convert` would cut off at 255
        image = Image.fromarray(_rounded(np.asarray(image) / 257))
    elif image.has_transparency_data and image.mode != "RGBA":
        image = image.convert("RGBA")
    elif image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return image


def _rounded(array: Array) -> Pixels:
    pixels: Pixels = np.rint(array).astype(np.uint8)
    return pixels


def _luma(pixels: Pixels) -> Pixels:
    if pixels.ndim == 2:
        return pixels
    luma = pixels[..., :3] @ np.array([0.299, 0.587, 0.114])
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3] / 255
        seen = luma[alpha >= 0.95 * alpha.max()]  # what is half transparent is often of half the colour too
        darkest, middle, lightest = np.percentile(seen, [0.1, 50, 99.9])
        alone = lightest - darkest < 48
        ground = middle if not alone else 255 if middle < 128 else 0
        luma = alpha * luma + (1 - alpha) * ground
    return _rounded(luma)


def _from_ground(grey: Pixels) -> tuple[Floats, float]:
    """How far each pixel is from the ground, and what of it is more than noise."""
    h, w = grey.shape
    y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    level = grey.astype(float)
    n = max(1, min(h, w) // 20)
    edge, every = np.ones((h, w), bool), np.zeros((h, w), bool)
    edge[n:-n, n:-n] = False
    every[:: -(-h // 64), :: -(-w // 64)] = True  # enough for six numbers
    flat = np.array([np.median(level[edge]), 0, 0, 0, 0, 0])
    bent, a, b = flat, terms[every], level[every]
    for _ in range(20):  # least squares, weighted again and again, come to least absolute deviations
        weighted = a.T / np.maximum(np.abs(b - a @ bent), 1)
        bent = np.linalg.solve(weighted @ a, weighted @ b)
    off, off_bent = (float(np.median(np.abs((level - terms @ surface)[edge]))) for surface in (flat, bent))
    if off_bent < off / 2:
        flat, off = bent, off_bent
    noise = 1.4826 * off  # of a normal distribution, the standard deviation
    return level - terms @ flat, max(_CONTRAST, 3 * noise)


def _cropped(name: str, ink: Pixels, least: float) -> Pixels:
    from scipy import ndimage

    around = np.ones((3, 3), np.bool_)
    pieces, n = ndimage.label(ink > _threshold(ink[ink > least]), around)
    areas = np.bincount(pieces.ravel(), minlength=n + 1)
    areas[0] = 0
    inside = areas.copy()
    inside[[*pieces[0], *pieces[-1], *pieces[:, 0], *pieces[:, -1]]] = 0
    kept = inside if inside.max() >= areas.max() / 10 else areas
    digit = (kept >= kept.max() / 10)[pieces]
    box = ndimage.find_objects(digit.astype(np.uint8))[0]
    longer = max(side.stop - side.start for side in box)
    together = ndimage.correlate(digit.astype(float), around, mode="constant")[digit].mean()  # in 3×3 pixels
    # strokes are as long as the digit, with gaps perhaps; specks and noise are many small pieces
    if longer < _LEAST or digit.sum() < longer / 2 or together < 2.5 or kept.max() < areas.sum() / 20:
        rule = f"must show a digit of at least {_LEAST} pixels"
        raise checks.problem(ValueError, "prepare", name, rule, "specks or noise alone")
    soft = ndimage.binary_dilation(digit, around, 2)  # the edges of strokes are below the threshold
    return np.where(soft, ink, np.uint8(0))[box]


def _threshold(ink: Pixels) -> float:
    """The middle between the means of the two classes, of the ink and as many zeros, that differ most."""
    counts = np.bincount(ink, minlength=256)
    counts[0] = ink.size
    n, mass = counts.cumsum().astype(float), (counts * np.arange(256)).cumsum().astype(float)
    below, above = mass[:-1] / n[:-1], (mass[-1] - mass[:-1]) / (n[-1] - n[:-1])
    best = (n[:-1] * (n[-1] - n[:-1]) * (above - below) ** 2).argmax()
    return float(below[best] + above[best]) / 2


def _fitted(cropped: Pixels) -> Pixels:
    from PIL import Image

    scale = 20 / max(cropped.shape)
    h, w = (max(1, round(side * scale)) for side in cropped.shape)
    small = np.asarray(Image.fromarray(cropped).resize((w, h), Image.Resampling.BICUBIC))
    return _rounded(small * (255 / small.max()))  # thin strokes have become faint


def _centred(fitted: Array) -> Pixels:
    image = np.zeros((28, 28), np.uint8)
    place = []
    for axis, side in enumerate(fitted.shape):
        centre = fitted.sum(axis=1 - axis) @ np.arange(side) / fitted.sum()
        start = min(max(round(14 - centre), 0), 28 - side)
        place.append(slice(start, start + side))
    image[tuple(place)] = fitted
    return image
