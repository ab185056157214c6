"""Layers: frozen specs with an `activation`, `shapes`, `outputs`, `draw`, `forward` and `backward`.

A layer makes z of x, and its activation makes a of z. `forward(p, x, key, index)` returns z and whatever
`backward(p, kept, dz, g, to_x)` needs of it; `backward` writes the layer's gradient into `g`, the views of a
vector that the pass made, and returns the derivative by x when `to_x` asks for it. `key` is None for
inference; `index` is the layer's place in the network. x is (n, inputs), z and dz are (n, units).
"""

from __future__ import annotations

from typing import Any, Protocol

import attrs
import numpy as np

from fnn import checks, kernels, settings
from fnn.activations import RECTIFIERS, Activation, Identity, resolve_activation, valid_activation
from fnn.arrays import Floats, Spec
from fnn.buffers import empty
from fnn.initializers import (
    GlorotUniform,
    HeNormal,
    Initializer,
    InitializerName,
    Zeros,
    resolve_initializer,
    valid_initializer,
)
from fnn.params import LayerParams, Shapes
from fnn.randomness import DROPOUT, INIT, NOISE, Address, Key, bits16, normal16


class Layer(Protocol):
    """What a network asks of its layers."""

    @property
    def activation(self) -> Activation:
        """What makes a of z."""

    def shapes(self, inputs: int) -> Shapes:
        """The shapes of the layer's tensors, for that many inputs."""

    def outputs(self, inputs: int) -> int:
        """The number of its outputs, for that many inputs."""

    def draw(self, p: LayerParams, inputs: int, seed: int, index: int) -> None:
        """Write the initial numbers into p."""

    def forward(self, p: LayerParams, x: Floats, key: Key | None, index: int) -> tuple[Floats, Any]:
        """z, and what backward needs."""

    def backward(self, p: LayerParams, kept: Any, dz: Floats, g: LayerParams, to_x: bool) -> Floats:
        """Write the gradient into g; the derivative by x, or anything where it is not asked for."""


def _default_init(activation: Activation) -> Initializer:
    return HeNormal() if isinstance(activation, RECTIFIERS) else GlorotUniform()


def _resolve_optional(value: InitializerName | Initializer | None) -> Initializer | None:
    return None if value is None else resolve_initializer(value)


@attrs.frozen(cache_hash=True, repr=False)
class Dense(Spec):
    """A fully connected layer: z = x · weight + bias, a = activation(z).

    weight is (inputs, units) and bias (units,). The penalty l1 · Σ|w| + ½ l2 · Σw², on the weight only, is
    part of the objective (Goodfellow, Bengio and Courville 2016, section 7.1); after each step the incoming
    weights of each unit are scaled down to the norm `max_norm` where they are longer (Srivastava et al. 2014).

    Args:
        units: at least 1.
        activation: a name, or a frozen record with value and vjp.
        weight_init: a name or an initializer; None is he_normal for relu, leaky_relu, elu, gelu and silu
            and glorot_uniform for all others.
        bias_init: a name or an initializer.
        l1: at least 0.
        l2: at least 0; its gradient is l2 · w.
        max_norm: above 0, or None.

    Raises:
        TypeError, ValueError: for a setting that is none of these.

    >>> Dense(256, "relu", max_norm=3.0).shapes(784).weight
    (784, 256)
    """

    units: int = attrs.field(validator=settings.integer(1))
    activation: Activation = attrs.field(default=Identity(), converter=resolve_activation, validator=valid_activation)
    weight_init: Initializer | None = attrs.field(
        default=None, converter=_resolve_optional, validator=attrs.validators.optional(valid_initializer)
    )
    bias_init: Initializer = attrs.field(default=Zeros(), converter=resolve_initializer, validator=valid_initializer)
    l1: float = attrs.field(default=0.0, validator=settings.at_least_0)
    l2: float = attrs.field(default=0.0, validator=settings.at_least_0)
    max_norm: float | None = attrs.field(default=None, validator=attrs.validators.optional(settings.above_0))

    def shapes(self, inputs: int) -> Shapes:
        return Shapes(weight=(inputs, self.units), bias=(self.units,))

    def outputs(self, inputs: int) -> int:
        return self.units

    def draw(self, p: LayerParams, inputs: int, seed: int, index: int) -> None:
        weight_init = self.weight_init or _default_init(self.activation)
        for place, (target, part) in enumerate(((p.weight, weight_init), (p.bias, self.bias_init))):
            drawn = part.draw(target.shape, inputs, self.units, Address(seed, INIT, (index, place)))
            if np.shape(drawn) != target.shape:
                rule = f"must return an array of shape {target.shape}"
                raise checks.problem(ValueError, type(part).__name__, "draw", rule, checks.show(drawn))
            target[...] = drawn

    def forward(self, p: LayerParams, x: Floats, key: Key | None, index: int) -> tuple[Floats, Floats]:
        z = kernels.product(x, p.weight)
        kernels.add_bias(z, p.bias)
        return z, x

    def backward(self, p: LayerParams, kept: Floats, dz: Floats, g: LayerParams, to_x: bool) -> Floats:
        if isinstance(kept, np.ndarray):
            kernels.weight_gradient(kept, dz, g.weight)
        else:  # a csr_array
            g.weight[...] = kept.T @ dz
        kernels.column_sums(dz, g.bias)
        return kernels.product(dz, p.weight.T) if to_x else dz


@attrs.frozen(cache_hash=True, repr=False)
class Dropout(Spec):
    """Dropout: with a key, each number is 0 with probability `rate`, and the others are divided by 1 − rate.

    Without a key it does nothing ("inverted" dropout; Srivastava et al. 2014, section 10). As a network's
    first layer it drops inputs. The rate is realized in steps of 2⁻¹⁶, and the division is by what is
    realized, so that the expectation is exact.

    Args:
        rate: the fraction dropped, not kept; in [0, 1).

    >>> import numpy as np, fnn
    >>> network = fnn.Network(8, (fnn.Dropout(0.5),), loss="mse")
    >>> params = fnn.init_params(network, seed=0)
    >>> x, y = np.ones((1, 8)), np.zeros((1, 8))
    >>> fnn.loss(network, params, x, y), fnn.loss(network, params, x, y, key=fnn.Key(seed=0, epoch=0, batch=0))
    (1.0, 2.0)
    """

    rate: float = attrs.field(validator=settings.from_0_below_1)

    @property
    def activation(self) -> Activation:
        """The identity."""
        return Identity()

    @property
    def _drop(self) -> int:
        return min(round(self.rate * 2**16), 2**16 - 1)

    def shapes(self, inputs: int) -> Shapes:
        return Shapes()

    def outputs(self, inputs: int) -> int:
        return inputs

    def draw(self, p: LayerParams, inputs: int, seed: int, index: int) -> None:
        pass

    def forward(self, p: LayerParams, x: Floats, key: Key | None, index: int) -> tuple[Floats, Floats | None]:
        if key is None:
            return x, None
        kept = empty(x.shape, x.dtype)
        self.mask(key, index, kept.reshape(-1))
        return x * kept, kept

    def mask(self, key: Key, index: int, out: Floats) -> None:
        """Write what the layer of that index multiplies by: 0, or one over the fraction kept."""
        at = Address(key.seed, DROPOUT, (key.epoch, key.batch, index))
        kernels.mask(bits16(at, len(out)), self._drop, 2**16 / (2**16 - self._drop), out)

    def backward(self, p: LayerParams, kept: Floats | None, dz: Floats, g: LayerParams, to_x: bool) -> Floats:
        return dz if kept is None else dz * kept


@attrs.frozen(cache_hash=True, repr=False)
class GaussianNoise(Spec):
    """Additive noise: with a key z = x + std · ε, ε standard normal, apart for each number; a = activation(z).

    Without a key z = x. As a network's first layer it is added to the inputs, after `input_scale` (Bishop, "Training
    with noise is equivalent to Tikhonov regularization", 1995). After a `BatchNorm()` std is relative to that layer's
    weight, which begins at 1; in the ladder network the noise comes before this weight (Rasmus et al., "Semi-supervised
    learning with ladder networks", 2015, section 3.2). ε is one of 2¹⁶ equally likely quantiles, none beyond ±4.33.

    Args:
        std: the noise's standard deviation, at least 0.
        activation: a name, or a frozen record with value and vjp; it comes after the noise.

    >>> import numpy as np, fnn
    >>> network = fnn.Network(1000, (fnn.GaussianNoise(0.5),), loss="mse")
    >>> params = fnn.init_params(network, seed=0)
    >>> x = np.ones((1, 1000))
    >>> print(f"{fnn.loss(network, params, x, x, key=fnn.Key(seed=0, epoch=0, batch=0)):.3f}")
    0.253
    """

    std: float = attrs.field(validator=settings.at_least_0)
    activation: Activation = attrs.field(default=Identity(), converter=resolve_activation, validator=valid_activation)

    def shapes(self, inputs: int) -> Shapes:
        return Shapes()

    def outputs(self, inputs: int) -> int:
        return inputs

    def draw(self, p: LayerParams, inputs: int, seed: int, index: int) -> None:
        pass

    def forward(self, p: LayerParams, x: Floats, key: Key | None, index: int) -> tuple[Floats, None]:
        if key is None:
            return x, None
        at = Address(key.seed, NOISE, (key.epoch, key.batch, index))
        z = normal16(at, x.size, x.dtype).reshape(x.shape)
        z *= x.dtype.type(self.std)
        z += x
        return z, None

    def backward(self, p: LayerParams, kept: None, dz: Floats, g: LayerParams, to_x: bool) -> Floats:
        return dz


@attrs.frozen(cache_hash=True, repr=False)
class LayerNorm(Spec):
    """Layer normalization: z = weight · (x − μ) / √(σ² + epsilon) + bias, a = activation(z) (Ba et al. 2016).

    μ and σ² are the mean and the biased variance of each row's numbers (section 3, equation 3), in training and in
    inference alike: there are no running statistics, and a row does not depend on the batch that it is in. weight
    begins at 1 and bias at 0, one for each column. In a layer of one column z is the bias.

    Args:
        activation: a name, or a frozen record with value and vjp; it comes after the normalization.
        epsilon: above 0.

    >>> import fnn
    >>> network = fnn.Network(3, (fnn.LayerNorm(),), loss="mse")
    >>> fnn.forward(network, fnn.init_params(network, seed=0), [[1, 2, 3]]).round(4)
    array([[-1.2247,  0.    ,  1.2247]], dtype=float32)
    """

    activation: Activation = attrs.field(default=Identity(), converter=resolve_activation, validator=valid_activation)
    epsilon: float = attrs.field(default=1e-5, validator=settings.above_0)

    def shapes(self, inputs: int) -> Shapes:
        return Shapes(weight=(inputs,), bias=(inputs,))

    def outputs(self, inputs: int) -> int:
        return inputs

    def draw(self, p: LayerParams, inputs: int, seed: int, index: int) -> None:
        p.weight[...], p.bias[...] = 1, 0

    def forward(self, p: LayerParams, x: Floats, key: Key | None, index: int) -> tuple[Floats, Any]:
        normal, scale = _normalized(x, self.epsilon)
        return normal * p.weight + p.bias, (normal, scale)

    def backward(self, p: LayerParams, kept: Any, dz: Floats, g: LayerParams, to_x: bool) -> Floats:
        normal, scale = kept
        np.add.reduce(dz * normal, axis=0, out=g.weight)
        np.add.reduce(dz, axis=0, out=g.bias)
        if not to_x:
            return dz
        d = dz * p.weight
        along = (d * normal).mean(axis=1, keepdims=True)
        dx: Floats = scale * (d - d.mean(axis=1, keepdims=True) - normal * along)
        return dx


def _normalized(x: Floats, epsilon: float) -> tuple[Floats, Floats]:
    """x with mean 0 and variance 1 in each row, and 1 / √(σ² + epsilon)."""
    # in float64: what a float32 sum rounds off would become variance
    centred = x - x.mean(axis=1, dtype=np.float64, keepdims=True).astype(x.dtype)
    centred -= centred.mean(axis=1, dtype=np.float64, keepdims=True).astype(x.dtype)  # what the mean was rounded by
    scale = _scale(np.square(centred, dtype=np.float64).mean(axis=1, keepdims=True), epsilon, x.dtype)
    return centred * scale, scale


def _scale(variance: Floats, epsilon: float, dtype: np.dtype[Any]) -> Floats:
    """1 / √(σ² + epsilon), finite in that dtype; NaN where σ² overflowed, so that it does not pass for a constant."""
    scale = 1 / np.sqrt(variance + max(epsilon, float(np.finfo(dtype).tiny)))
    return np.where(scale > 0, scale, np.nan).astype(dtype)


@attrs.frozen(cache_hash=True, repr=False)
class BatchNorm(Spec):
    """Batch normalization: z = weight · (x − μ) / √(σ² + epsilon) + bias, a = activation(z) (Ioffe and Szegedy 2015).

    With a key, μ and σ² are the mean and the biased variance (the mean of squares, over n and not n − 1) of
    the batch's rows, each row counted once whatever its sample weight; without one they are the running
    statistics. These begin at 0 and 1, and each batch moves them: running ← (1 − momentum) · running +
    momentum · batch's. Momentum is the weight of the new batch, as in PyTorch, not of the old ones as in
    Keras; the running variance is the biased one, as in Keras, not the unbiased one as in PyTorch and the
    paper's algorithm 2. In a batch of one row the variance is 0 and z is the bias.

    Args:
        activation: a name, or a frozen record with value and vjp; it comes after the normalization.
        momentum: in (0, 1].
        epsilon: above 0.

    >>> BatchNorm("relu").shapes(256).mean
    (256,)
    """

    activation: Activation = attrs.field(default=Identity(), converter=resolve_activation, validator=valid_activation)
    momentum: float = attrs.field(default=0.1, validator=settings.from_above_0_to_1)
    epsilon: float = attrs.field(default=1e-5, validator=settings.above_0)

    def shapes(self, inputs: int) -> Shapes:
        return Shapes(*[(inputs,)] * 4)

    def outputs(self, inputs: int) -> int:
        return inputs

    def draw(self, p: LayerParams, inputs: int, seed: int, index: int) -> None:
        p.weight[...], p.bias[...], p.mean[...], p.variance[...] = 1, 0, 0, 1

    def forward(self, p: LayerParams, x: Floats, key: Key | None, index: int) -> tuple[Floats, Any]:
        if key is None:
            normal, batch, variance = kernels.less_row(x, p.mean), None, p.variance
        else:
            normal, mean, variance = kernels.standardize(x)
            batch = mean, variance
        scale = _scale(variance, self.epsilon, x.dtype)
        return kernels.affine(normal, scale, p.weight, p.bias), (normal, scale, batch)

    def backward(self, p: LayerParams, kept: Any, dz: Floats, g: LayerParams, to_x: bool) -> Floats:
        normal, scale, batch = kept
        slope: Floats = p.weight * scale
        kernels.product_sums(dz, normal, g.weight)
        kernels.column_sums(dz, g.bias)
        if batch is None:
            return dz * slope
        for running, old, new in zip(g[2:], p[2:], batch, strict=True):
            running[...] = (1 - self.momentum) * old + self.momentum * new
        return kernels.norm_vjp(dz, normal, slope, g.bias, g.weight) if to_x else dz
