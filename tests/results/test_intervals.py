"""Intervals against published examples, and how often they hold, by simulation."""

import math
from functools import cache

import numpy as np
import pytest

from analyzer.results.intervals import (
    Durations,
    median_difference,
    median_ranks,
    newcombe,
    quantile_for,
    rate_ratio,
    wilson,
)

Z = 1.959964


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),  # Newcombe, Statistics in Medicine 17, 857-872, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_intervals_of_a_share(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of, Z) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),  # Newcombe, Statistics in Medicine 17, 873-890, table II, method 10
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_published_intervals_of_a_difference(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    assert newcombe(*second, *first, Z) == pytest.approx((low, high), abs=6e-5)
    assert newcombe(*first, *second, Z) == pytest.approx((-high, -low), abs=6e-5)


def test_nothing_is_known_of_no_connection() -> None:
    assert wilson(0, 0, Z) == (0, 1)
    assert newcombe(0, 0, 5, 5, Z) == (-1, 1)
    assert rate_ratio(0, 10, 0, 10, Z) == (0, math.inf)


@pytest.mark.parametrize(
    ("count", "low"),  # the tables of the sign test; fewer than six values reach no 95 %
    [(1, 0), (5, 0), (6, 1), (10, 2), (20, 6), (50, 18), (100, 40)],
)
def test_ranks_around_the_median(count: int, low: int) -> None:
    assert median_ranks(count, Z) == (low, count + 1 - low)


def test_many_ranks_are_about_those_of_the_distribution_itself() -> None:
    exact, normal = median_ranks(1000, Z)[0], median_ranks(1001, Z)[0]
    assert exact - 2 <= normal <= exact + 1


def test_what_lasts_on_makes_a_quantile_a_least_value() -> None:
    some = Durations(np.array([5, 1, 9, 7]), np.array([False, False, True, False]))
    assert some.quantile(0.5) == (5, 5)
    assert some.quantile(0.99) == (9, math.inf)
    early = Durations(np.array([5, 1, 9, 7]), np.array([False, True, False, False]))
    assert early.quantile(0.5) == (5, 7)  # what was 1 then may be anything by now


def test_more_intervals_are_wider() -> None:
    assert quantile_for(0.95) == pytest.approx(Z, abs=1e-6)
    assert quantile_for(0.95, 20) == pytest.approx(3.0233, abs=1e-4)
    assert quantile_for(0.95, 0) == quantile_for(0.95)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.02, 0.3), (0.0, 0.1), (0.97, 0.6)])
@pytest.mark.parametrize("sizes", [(8, 8), (40, 12), (400, 300)])
def test_a_difference_of_shares_lies_inside_as_often_as_said(
    shares: tuple[float, float], sizes: tuple[int, int]
) -> None:
    chance = np.random.default_rng(1)
    drawn = [chance.binomial(size, share, 2000).tolist() for size, share in zip(sizes, shares, strict=True)]
    made = [newcombe(one, sizes[0], other, sizes[1], Z) for one, other in zip(*drawn, strict=True)]
    truth = shares[1] - shares[0]
    assert np.mean([low <= truth <= high for low, high in made]) > 0.925  # its mean over shares and sizes is 0.95


def durations(chance: np.random.Generator, size: int, median: float, until: int) -> Durations:
    """Lengths of which each had its own time until the recording ended."""
    values = (chance.lognormal(math.log(median), 1.5, size)).astype(np.int64)
    ends = chance.integers(until // 4, until, size)
    return Durations(np.minimum(values, ends), values > ends)


@pytest.mark.parametrize("sizes", [(9, 15), (60, 60), (1500, 30)])
@pytest.mark.parametrize("until", [10**6, 10**12])  # in the first, many last on
def test_a_difference_of_medians_lies_inside_at_least_as_often_as_said(sizes: tuple[int, int], until: int) -> None:
    chance, inside = np.random.default_rng(2), 0
    for _ in range(400):
        first, second = durations(chance, sizes[0], 2e5, until), durations(chance, sizes[1], 6e5, until)
        low, high = median_difference(first, second, Z)
        inside += low <= 4e5 <= high
    assert inside / 400 > 0.93


def test_a_difference_of_medians_is_seen() -> None:
    chance = np.random.default_rng(3)
    low, _ = median_difference(durations(chance, 200, 1e5, 10**12), durations(chance, 200, 1e7, 10**12), Z)
    assert low > 0


@pytest.mark.parametrize(("rate", "exposures"), [(1.0, (20.0, 60.0)), (4.0, (50.0, 20.0))])
def test_a_ratio_of_rates_lies_inside_as_often_as_said(rate: float, exposures: tuple[float, float]) -> None:
    chance = np.random.default_rng(4)
    drawn = [chance.poisson(factor * of, 2000).tolist() for factor, of in zip((1.0, rate), exposures, strict=True)]
    made = [rate_ratio(one, exposures[0], other, exposures[1], Z) for one, other in zip(*drawn, strict=True)]
    assert np.mean([low <= rate <= high for low, high in made]) > 0.925


def test_all_intervals_hold_at_once_as_often_as_said() -> None:
    """Twenty things, none of which changed: one comparison in twenty may say otherwise, not more."""
    chance, things, size = np.random.default_rng(5), 20, 80
    of = cache(lambda one, other: newcombe(one, size, other, size, quantile_for(0.95, things)))
    wrong, tries = 0, 3000
    for _ in range(tries):
        drawn = chance.binomial(size, 0.3, (2, things)).tolist()
        made = [of(one, other) for one, other in zip(*drawn, strict=True)]
        wrong += any(low > 0 or high < 0 for low, high in made)
    assert wrong / tries < 0.06
