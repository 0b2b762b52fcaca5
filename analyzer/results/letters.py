"""Columns of letters, three numbers a row, as texts."""

import numpy as np
from numpy.typing import NDArray

from analyzer.tracker.vocabularies import LETTERS
from analyzer.tracker.zeek.letters import BITS

ALPHABET = [*LETTERS, *(letter.lower() for letter in LETTERS)]
PLACES = 12  # letters in a number


def spelled(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    """The distinct texts in order, and which of them each row is, -1 for none. Most rows have one number."""
    longer = values[:, 1] != 0
    short, short_codes = np.unique(values[~longer, 0], return_inverse=True)
    long, long_codes = np.unique(values[longer], axis=0, return_inverse=True)
    nothing = int(len(short) > 0 and short[0] == 0)
    codes = np.empty(len(values), np.int64)
    codes[~longer] = short_codes - nothing
    codes[longer] = long_codes.reshape(-1) + len(short) - nothing
    texts = [spell([number]) for number in short[nothing:].tolist()] + [spell(row) for row in long.tolist()]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    places = np.array([*np.argsort(order), -1], np.int64)
    return places[codes], [texts[place] for place in order]


def spell(numbers: list[int]) -> str:
    """The letters of one row."""
    shifts = range(int(BITS) * (PLACES - 1), -1, -int(BITS))
    letters = (number >> shift & 31 for number in numbers for shift in shifts)
    return "".join(ALPHABET[letter - 1] for letter in letters if letter)
