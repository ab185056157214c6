"""The layout of a network's numbers, and the one vector that holds them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import attrs
import numpy as np

from fnn import checks
from fnn.arrays import DTYPES, Floats, Spec, State, sealed


@attrs.frozen(cache_hash=True, repr=False)
class Shapes(Spec):
    """The shapes of one layer's tensors; what a layer lacks has length 0.

    >>> import fnn
    >>> fnn.Dense(3).shapes(2)
    Shapes(weight=(2, 3), bias=(3,))
    """

    weight: tuple[int, ...] = (0,)
    bias: tuple[int, ...] = (0,)
    mean: tuple[int, ...] = (0,)
    variance: tuple[int, ...] = (0,)


class LayerParams(NamedTuple):
    """One layer's numbers, as views of `Params.vector` (weight, bias) and `Params.running` (mean, variance).

    >>> import fnn
    >>> weight, bias, *_ = fnn.init_params(fnn.mlp(784, 10), seed=0)[0]
    >>> weight.shape, bias.shape
    ((784, 10), (10,))
    """

    weight: Floats
    bias: Floats
    mean: Floats
    variance: Floats


@attrs.frozen(cache_hash=True, repr=False)
class Layout(Spec):
    """Where each layer's numbers are: in the order of the layers, weight before bias, C order.

    >>> import fnn
    >>> fnn.mlp(784, 10).layout.size
    7850
    """

    layers: tuple[Shapes, ...]

    @cached_property
    def size(self) -> int:
        """How many numbers are trained."""
        return sum(math.prod(s.weight) + math.prod(s.bias) for s in self.layers)

    @cached_property
    def running_size(self) -> int:
        """How many running statistics there are."""
        return sum(math.prod(s.mean) + math.prod(s.variance) for s in self.layers)

    @cached_property
    def tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The name and shape of each tensor that is there, in the order of `pack_params`."""
        names = [field.name for field in attrs.fields(Shapes)]
        every = [(f"layers[{i}].{name}", getattr(s, name)) for i, s in enumerate(self.layers) for name in names]
        return tuple((name, shape) for name, shape in every if shape != (0,))

    @cached_property
    def _pieces(self) -> tuple[tuple[tuple[int, slice | None, tuple[int, ...]], ...], ...]:
        """For each layer its four tensors: of which vector, which slice (None where it lacks one), and the shape."""
        pieces, ends = [], [0, 0]
        for shapes in self.layers:
            layer = []
            for which, shape in enumerate(attrs.astuple(shapes)):
                start, end = ends[which // 2], ends[which // 2] + math.prod(shape)
                layer.append((which // 2, slice(start, end) if shape != (0,) else None, shape))
                ends[which // 2] = end
            pieces.append(tuple(layer))
        return tuple(pieces)

    def views(self, vector: Floats, running: Floats) -> tuple[LayerParams, ...]:
        """The layers' views of a vector and of the running statistics."""
        whole, none = (vector, running), vector[:0]
        layers = []
        for pieces in self._pieces:
            parts = [none if s is None else whole[i][s].reshape(shape) for i, s, shape in pieces]
            layers.append(LayerParams(*parts))
        return tuple(layers)


@attrs.frozen(eq=False, repr=False)
class Params(State):
    """All numbers of a network: one contiguous, read-only vector, and its layout.

    `params[i].weight` and `params[i].bias` are views for `network.layers[i]`, shaped (inputs, units) and
    (units,); `params[i].mean` and `params[i].variance` are batch norm's running statistics, views of
    `running`. What a layer lacks has length 0. `attrs.evolve(params, vector=v)` is another set of numbers.

    A gradient is a `Params` of the same layout; its `running` is what the running statistics become.

    Args:
        layout: the shapes, layer by layer; `network.layout`.
        vector: `layout.size` trained numbers, float32 or float64. An array that somebody could still write
            into is copied.
        running: `layout.running_size` numbers, made of the vector's dtype.

    Raises:
        TypeError: for a vector that is not float32 or float64.
        ValueError: for another length.

    >>> import fnn
    >>> params = fnn.init_params(fnn.mlp(784, 256, 128, 10), seed=0)
    >>> params
    Params(235,146 float32 numbers in 3 layers)
    >>> params[0].weight.shape, params[0].bias.shape
    ((784, 256), (256,))
    """

    layout: Layout
    vector: Floats = attrs.field(converter=sealed)
    running: Floats = attrs.field(converter=sealed)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.vector, np.ndarray) or self.vector.dtype not in DTYPES:
            rule = "must be an array of float32 or float64"
            raise checks.problem(TypeError, "Params", "vector", rule, checks.show(self.vector))
        checks.instance("Params", "layout", self.layout, Layout)
        if self.running.dtype.kind != "f":
            rule = "must be an array of floats"
            raise checks.problem(TypeError, "Params", "running", rule, checks.show(self.running))
        if self.running.dtype != self.vector.dtype:
            object.__setattr__(self, "running", sealed(self.running.astype(self.vector.dtype)))
        for name, size in (("vector", self.layout.size), ("running", self.layout.running_size)):
            if getattr(self, name).shape != (size,):
                got = str(getattr(self, name).shape)
                raise checks.problem(ValueError, "Params", name, f"must have shape ({size},)", got)

    def __repr__(self) -> str:
        return f"Params({len(self.vector):,} {self.vector.dtype} numbers in {len(self)} layer{'s' * (len(self) != 1)})"

    @cached_property
    def layers(self) -> tuple[LayerParams, ...]:
        """The views, one `LayerParams` a layer."""
        return self.layout.views(self.vector, self.running)

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """float32 or float64."""
        return self.vector.dtype

    def __getitem__(self, layer: int) -> LayerParams:
        return self.layers[layer]

    def __len__(self) -> int:
        return len(self.layout.layers)

    def __iter__(self) -> Iterator[LayerParams]:
        return iter(self.layers)
