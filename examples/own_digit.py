"""Recognize a digit of your own, a photo or a drawing; and how well that goes for 500 of MNIST's, and for fonts'."""

# %%
import argparse
from pathlib import Path

import numpy as np
from matplotlib import ft2font, get_data_path
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

import fnn
from fnn import images, plots

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", metavar="FOLDER", help="where the four IDX files are; without it, what FNN_DATA names")
parser.add_argument("--out", type=Path, default="figures", metavar="FOLDER", help="where the figure goes")
parser.add_argument("--picture", metavar="FILE", help="a PNG or JPEG of your digit; without it, one is drawn")
parser.add_argument("--model", metavar="FILE", help="what mnist.py saved (it knows many of the test images)")
parser.add_argument("--quick", action="store_true", help="fewer epochs and images, to see that it runs")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)


# %% A digit of a font, dark on light; and the photo-like one that is drawn: off-centre, in uneven light, with noise.
def printed(digit: str, font: str) -> fnn.Array:
    canvas = Image.new("L", (220, 220), 255)
    ImageDraw.Draw(canvas).text((110, 110), digit, 0, ImageFont.truetype(font, 120), anchor="mm")
    return np.asarray(canvas)


def has_digits(path: Path) -> bool:
    face = ft2font.FT2Font(path)
    return [face.get_glyph_name(face.get_char_index(ord(digit))) for digit in "059"] == ["zero", "five", "nine"]


fonts = [str(path) for path in sorted(Path(get_data_path(), "fonts", "ttf").glob("*.ttf")) if has_digits(path)]
draw = np.random.default_rng(0)
light = draw.normal(np.linspace(130, 220, 320), 4, (260, 320))
light[35:255, 95:315] *= 0.4 + 0.6 * printed("3", fonts[0]) / 255
try:
    prepared = images.prepare(options.picture or light.astype(np.uint8))
except (OSError, ValueError) as error:
    parser.error(str(error))
figure = Figure(figsize=(9, 2), layout="constrained")
plots.images([array for _, array in prepared.stages], figure.subplots(), titles=[name for name, _ in prepared.stages])
figure.savefig(options.out / "own_digit.png")

# %% A small network, trained on MNIST or loaded, and its three likeliest answers.
train, test = fnn.load_mnist(options.data)
network, params = fnn.load(options.model) if options.model else (fnn.mlp(784, 256, 128, 10, input_scale=1 / 255), None)
params = params or fnn.fit(network, train, batch_size=128, epochs=1 if options.quick else 8).params
p = fnn.forward(network, params, prepared.row)[0]
print("it is", ", ".join(f"{digit} ({p[digit]:.4f})" for digit in p.argsort()[::-1][:3]), end="\n\n")


# %% Test images enlarged 2 to 5 times, somewhere on a canvas, half of them inverted, half with a transparent ground.
def on_canvas(image: fnn.Array) -> fnn.Array:
    side = int(28 * draw.uniform(2, 5))
    y, x = draw.integers(0, 221 - side, 2)
    canvas = np.zeros((220, 220), np.uint8)
    canvas[y : y + side, x : x + side] = np.asarray(Image.fromarray(image).resize((side, side)))
    grey = 255 - canvas if draw.random() < 0.5 else canvas
    return np.stack([grey, grey, grey, canvas][: draw.integers(3, 5)], axis=-1)


rows = draw.choice(len(test), 50 if options.quick else 500, replace=False)
canvases = [on_canvas(image) for image in test.x[rows].reshape(-1, 28, 28)]
raw = [np.asarray(Image.fromarray(each).convert("L").resize((28, 28))) for each in canvases]

# %% How many are recognized: the originals, the canvases prepared or merely made small, and the digits of fonts.
of_fonts = [images.prepare(printed(digit, font)).row for font in fonts for digit in "0123456789"]
for name, x, y in (
    ("originals", test.x[rows], test.y[rows]),
    ("prepared", np.concatenate([images.prepare(each).row for each in canvases]), test.y[rows]),
    ("raw resized", np.reshape(raw, (-1, 784)), test.y[rows]),
    (f"of {len(fonts)} fonts", np.concatenate(of_fonts), np.tile(np.arange(10), len(fonts))),
):
    print(f"{name:12} {fnn.accuracy(y, fnn.predict(network, params, x)):.4f}")
