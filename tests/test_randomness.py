"""Draws against an independent Philox in Python's integers, the published test vectors, and scipy's tests."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import fnn
from fnn.arrays import Array
from fnn.randomness import (
    DISTORTION,
    DROPOUT,
    INIT,
    NOISE,
    SHUFFLE,
    SPLIT,
    Address,
    bits16,
    normal,
    normal16,
    permutation,
    uniform,
    words,
)

WORD = 2**64
HERE = Address(seed=0, stream=INIT, where=(0, 0))


def philox(counter: int, key: tuple[int, int]) -> list[int]:
    """Philox-4x64-10 of one counter (Salmon et al. 2011, section 3.3), in whole numbers."""
    c = [counter >> 64 * i & WORD - 1 for i in range(4)]
    k0, k1 = key
    for _ in range(10):
        p, q = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [q >> 64 ^ c[1] ^ k0, q % WORD, p >> 64 ^ c[3] ^ k1, p % WORD]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) % WORD, (k1 + 0xBB67AE8584CAA73B) % WORD
    return c


def as_counter(numbers: tuple[int, ...]) -> int:
    return sum(number << 64 * i for i, number in enumerate(numbers))


# The known answers of Random123's own tests, philox4x64 with 10 rounds: counter, key, words.
KNOWN = [
    ((0,) * 4, (0, 0), (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)),
    (
        (WORD - 1,) * 4,
        (WORD - 1,) * 2,
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]) -> None:
    assert tuple(philox(as_counter(counter), key)) == answer
    before = (as_counter(counter) - 1) % 2**256  # NumPy counts first, and then encrypts
    numpys = np.random.Philox(key=key[0] | key[1] << 64, counter=before)
    assert tuple(map(int, numpys.random_raw(4))) == answer


@settings(max_examples=50, deadline=None)
@given(st.integers(0, WORD - 1), st.integers(0, 5), st.lists(st.integers(0, WORD - 1), max_size=3))
def test_words_are_philox_at_the_address(seed: int, stream: int, where: list[int]) -> None:
    key = np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(2, np.uint64).tolist()
    counters = [as_counter((block, *where)) for block in (1, 2, 3)]
    drawn = words(Address(seed, stream, tuple(where)), 11)
    assert drawn.dtype == np.uint64
    assert drawn.tolist() == [word for counter in counters for word in philox(counter, key)][:11]


# Worked out with `philox` above. Whatever these become, every published seed is another run.
GOLDEN: list[tuple[Address, list[int]]] = [
    (Address(0, INIT, (0, 0)), [0xB8A059B224A7EB39, 0x06E4932400F2AACA]),
    (Address(0, SHUFFLE, (5,)), [0x1FA8DC04200C8692, 0xE1489F96E4A201CE]),
    (Address(1, DROPOUT, (5, 12, 1)), [0xC260AD81DD4B3B0A, 0x3BE1BA5A0CD4CF05]),
    (Address(2**64 - 1, SPLIT, ()), [0xC74DBD423B898AE8, 0xC1436A59B0BF9EC6]),
]


def keep_mask(at: Address, shape: tuple[int, ...], drop: int) -> Array:
    """As `Dropout` makes it."""
    kept: Array = bits16(at, math.prod(shape)) >= drop
    return kept.reshape(shape)


def test_seeds_give_these_numbers_for_ever() -> None:
    for at, first in GOLDEN:
        assert words(at, 2).tolist() == first
    # a shift and a product by a power of 2: exact
    assert [u.hex() for u in uniform(HERE, 2).tolist()] == ["0x1.7140b364494fdp-1", "0x1.b924c9003caa0p-6"]
    assert permutation(Address(0, SHUFFLE, (0,)), 12).tolist() == [10, 7, 8, 6, 2, 9, 3, 1, 11, 0, 4, 5]
    long = permutation(Address(0, SHUFFLE, (1,)), 60_000).astype("<i8")
    assert hashlib.sha256(long.tobytes()).hexdigest()[:16] == "24ed85423d07c474"
    mask = keep_mask(Address(0, DROPOUT, (0, 0, 1)), (3, 8), 2**15)
    assert ["".join(map(str, row)) for row in mask.astype(int).tolist()] == ["00011000", "11010101", "10110010"]


def test_no_two_addresses_share_words() -> None:
    seeds = (0, 1, 2, 2**32, 2**32 + 1, 2**63, 2**64 - 1)
    pairs = product((0, 1, 2, 2**32), repeat=2)
    places = [
        *((INIT, pair) for pair in pairs),
        *((SHUFFLE, (epoch,)) for epoch in (0, 1, 2, 1000, 2**40)),
        *((DROPOUT, where) for where in product((0, 1, 7), repeat=3)),
        (SPLIT, ()),
        *((DISTORTION, where) for where in product((0, 1, 7), repeat=3)),
        *((NOISE, where) for where in product((0, 1, 7), repeat=3)),
    ]
    drawn = [words(Address(seed, stream, where), 64) for seed in seeds for stream, where in places]
    assert len(np.unique(np.concatenate(drawn))) == 64 * len(seeds) * len(places)
    # long draws, of neighbouring addresses, do not run into each other
    far = np.concatenate([words(Address(0, SHUFFLE, (epoch,)), 100_000) for epoch in range(3)])
    assert len(np.unique(far)) == 300_000


def test_every_seed_has_a_stream_of_its_own() -> None:
    drawn = {int(words(Address(seed, stream, ()), 1)[0]) for seed in range(2000) for stream in range(6)}
    assert len(drawn) == 12_000


def test_a_shorter_draw_is_the_beginning_of_a_longer_one() -> None:
    for n in (1, 3, 4, 5, 1000):
        assert words(HERE, n).tolist() == words(HERE, 2000)[:n].tolist()
        assert uniform(HERE, n).tolist() == uniform(HERE, 2000)[:n].tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_numbers_of_16_bits_are_the_quantiles_of_their_bits(dtype: type) -> None:
    drawn = normal16(HERE, 100_000, np.dtype(dtype))
    assert drawn.dtype == dtype
    rounding = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(stats.norm.cdf(drawn), (bits16(HERE, 100_000) + 0.5) / 2**16, rtol=40 * rounding)
    assert stats.kstest(drawn, "norm").pvalue > 0.01
    many = normal16(HERE, 2**22, np.dtype(dtype))
    assert 4.32 < np.abs(many).max() < 4.33
    every = np.unique(many)
    assert len(every) == 2**16
    assert f"{every.var(dtype=float):.5f}" == "0.99998"  # as its docstring says


def test_permutations_are_permutations() -> None:
    for n in range(1, 301):
        at = Address(9, SHUFFLE, (n,))
        order = permutation(at, n)
        assert order.dtype == np.int64
        assert sorted(order.tolist()) == list(range(n))
        low = max(n - 1, 1).bit_length()  # the order of the words but for their lowest bits
        assert order.tolist() == [i for _, i in sorted((w >> low, i) for i, w in enumerate(words(at, n).tolist()))]


def test_permutations_are_uniform() -> None:
    for n, draws in ((2, 2000), (3, 6000), (4, 12_000)):
        seen = Counter(tuple(permutation(Address(seed, SHUFFLE, (3,)), n).tolist()) for seed in range(draws))
        assert stats.chisquare([seen[p] for p in permutations(range(n))]).pvalue > 1e-4
    epochs = Counter(tuple(permutation(Address(5, SHUFFLE, (e,)), 4).tolist()) for e in range(12_000))
    assert stats.chisquare([epochs[p] for p in permutations(range(4))]).pvalue > 1e-4


@pytest.mark.parametrize("n", [5, 64, 65])
def test_each_number_comes_to_each_place_as_often(n: int) -> None:
    draws = 100 * n
    counts = np.zeros((n, n))
    for seed in range(draws):
        counts[np.arange(n), permutation(Address(seed, SHUFFLE, (0,)), n)] += 1
    chi = float(np.square(counts - 100).sum() / 100) * (n - 1) / n
    assert stats.chi2((n - 1) ** 2).sf(chi) > 1e-4


@pytest.mark.parametrize("drop", [0, 1, 655, 2**15, 2**16 - 655, 2**16 - 1])
def test_masks_drop_as_often_as_they_should(drop: int) -> None:
    n, p = 1_000_002, drop / 2**16
    mask = keep_mask(Address(4, DROPOUT, (0, 0, 1)), (n // 3, 3), drop)
    assert mask.shape == (n // 3, 3)
    assert mask.dtype == np.bool_
    assert abs((~mask).mean() - p) <= 5 * math.sqrt(p * (1 - p) / n)
    columns = (~mask).mean(axis=0) - p
    assert np.abs(columns).max() <= 5 * math.sqrt(3 * p * (1 - p) / n)


def test_masks_are_16_bits_an_element_from_the_lowest() -> None:
    at = Address(3, DROPOUT, (2, 1, 0))
    for shape in ((3, 5), (2, 2), *((n,) for n in range(1, 20))):
        n = math.prod(shape)
        bits = [word >> shift & 0xFFFF for word in words(at, n).tolist() for shift in (0, 16, 32, 48)]
        assert keep_mask(at, shape, 20_000).ravel().tolist() == [b >= 20_000 for b in bits[:n]]


def test_neighbouring_masks_are_independent() -> None:
    places = [(0, 0, 1), (0, 0, 2), (0, 1, 1), (1, 0, 1)]
    masks = [keep_mask(Address(0, DROPOUT, where), (100_000,), 2**15) for where in places]
    for i, j in product(range(4), repeat=2):
        if i < j:
            assert abs((masks[i] == masks[j]).mean() - 0.5) < 5 * 0.5 / math.sqrt(100_000)


def test_uniforms() -> None:
    u = uniform(Address(2, INIT, (1, 0)), 200_000)
    assert u.dtype == np.float64
    assert u.min() >= 0
    assert u.max() < 1
    assert (u * 2.0**53 % 1 == 0).all()
    assert (u * 2.0**53 % 2 == 1).mean() == pytest.approx(0.5, abs=0.01)  # the last of the 53 bits is used
    assert stats.kstest(u, "uniform").pvalue > 1e-4


def test_normals() -> None:
    z = normal(Address(2, INIT, (1, 0)), 200_001)
    assert z.shape == (200_001,)
    assert z.dtype == np.float64
    assert np.isfinite(z).all()
    assert stats.kstest(z, "norm").pvalue > 1e-4
    assert stats.kstest(z[:100_000], "norm").pvalue > 1e-4
    assert stats.kstest(z[100_000:], "norm").pvalue > 1e-4
    radius = np.square(z[:100_000]) + np.square(z[100_000:200_000])
    assert abs(np.corrcoef(z[:100_000], z[100_000:200_000])[0, 1]) < 5 / math.sqrt(100_000)
    assert stats.kstest(radius, stats.chi2(2).cdf).pvalue > 1e-4
    for n in (1, 2, 3):
        assert normal(HERE, n).shape == (n,)


def test_normals_are_box_and_mullers() -> None:
    words_of = [(word >> 11) / 2**53 for word in words(HERE, 4).tolist()]
    pairs = [(math.sqrt(-2 * math.log1p(-words_of[i])), 2 * math.pi * words_of[i + 2]) for i in (0, 1)]
    want = [r * math.cos(t) for r, t in pairs] + [r * math.sin(t) for r, t in pairs]
    np.testing.assert_allclose(normal(HERE, 4), want, rtol=1e-13)


def test_keys_are_values_and_are_checked() -> None:
    key = fnn.Key(seed=1, epoch=2, batch=3)
    assert key == fnn.Key(1, 2, 3) != fnn.Key(1, 3, 2)
    assert hash(key) == hash(fnn.Key(1, 2, 3))
    assert fnn.Key(np.int64(1), 2, 3) == key  # type: ignore[arg-type]  # a NumPy integer becomes a plain one
    with pytest.raises(ValueError, match=r"^Key: `epoch` must be an integer .*, got -1\.$"):
        fnn.Key(0, -1, 0)
    with pytest.raises(TypeError, match=r"^Key: `batch` must be an integer .*, got 0\.5\.$"):
        fnn.Key(0, 0, 0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["seed", "epoch", "batch"])
def test_a_key_past_64_bits_is_refused(field: str) -> None:
    numbers = {"seed": 0, "epoch": 0, "batch": 0}
    fnn.Key(**numbers | {field: 2**64 - 1})
    with pytest.raises(ValueError, match=f"^Key: `{field}` must be "):
        fnn.Key(**numbers | {field: 2**64})


def test_the_global_state_is_untouched() -> None:
    np.random.seed(5)
    expected = np.random.random_sample(3).tolist()
    np.random.seed(5)
    for draw in (words, uniform, normal, permutation):
        draw(HERE, 10)
    keep_mask(HERE, (10,), 5)
    fnn.init_params(fnn.mlp(3, 4, 2), seed=0)
    assert np.random.random_sample(3).tolist() == expected
