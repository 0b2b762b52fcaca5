"""Which findings were made about one flow: the combination of their codes, as a number that flows can be given."""

import numpy as np
from numpy.typing import NDArray

EMPTY: tuple[int, ...] = ()
WORD_BITS = 64  # rules whose findings about a flow are noted in one word


class FoundAbout:
    """Which rules, by place, found something about each of some flows: a bit for each rule, in as many words as they
    take."""

    def __init__(self, flows: int) -> None:
        self.flows = flows
        self._words: dict[int, NDArray[np.uint64]] = {}

    def note(self, place: int, flows: NDArray[np.intp]) -> None:
        """The rule in that place found something about ``flows``."""
        word, bit = divmod(place, WORD_BITS)
        if word not in self._words:
            self._words[word] = np.zeros(self.flows, np.uint64)
        self._words[word][flows] |= np.uint64(1 << bit)

    def combinations(self) -> tuple[NDArray[np.intp], NDArray[np.intp], list[tuple[int, ...]]]:
        """The flows about which something was found, for each the number of its combination, and which places each
        combination holds."""
        words = sorted(self._words.items())
        some = np.flatnonzero(np.logical_or.reduce([word != 0 for _, word in words])) if words else np.zeros(0, np.intp)
        of, parts = np.zeros(len(some), np.intp), [EMPTY]
        for number, word in words:
            values, part = np.unique(word[some], return_inverse=True)
            places = [_places(value, number) for value in values.tolist()]
            if len(parts) == 1:
                of, parts = part, [parts[0] + more for more in places]
                continue
            pairs, of = np.unique(of * len(values) + part, return_inverse=True)
            parts = [parts[pair // len(values)] + places[pair % len(values)] for pair in pairs.tolist()]
        return some, of, parts


def _places(bits: int, word: int) -> tuple[int, ...]:
    """The places of the rules whose bits are set in a word."""
    return tuple(word * WORD_BITS + bit for bit in range(WORD_BITS) if bits >> bit & 1)
