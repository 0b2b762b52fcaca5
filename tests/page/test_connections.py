"""Which connections the page has."""

import numpy as np

from analyzer.page.connections import LEAST, PageConnections, _drawn


def test_a_sample_has_of_each_ending_its_share_and_is_the_same_each_time() -> None:
    endings = np.repeat([0, 3, 5], [90_000, 9_990, 10])
    places = _drawn(endings, 600)
    counts = np.bincount(endings[places])
    assert counts.tolist() == [540, 0, 0, 60, 0, 10]
    assert counts[5] == LEAST == 10
    assert (places == _drawn(endings, 600)).all()
    assert len(set(places.tolist())) == len(places)


def test_few_are_all_there() -> None:
    assert _drawn(np.zeros(7, np.int64), 600).tolist() == list(range(7))


def test_what_is_left_out_is_said_with_numbers() -> None:
    some = PageConnections(np.arange(1500), np.arange(600), 2000, 200_000)
    assert some.words == (
        "Of 200,000 connections this page has 1,500 of the 2,000 with findings, and 600 of the others, drawn at "
        "random, of each ending its share."
    )
    assert PageConnections(np.arange(3), np.arange(4), 3, 7).words == "All 7 connections."
