"""A second opinion on every finding: what its message states is derived anew from the packets, in a few lines for each
code, written from the definition of the code and not from the rule that found it."""

from tests.second_opinion import closing, crowds, dialogue, fins, resets, waiting, watching  # noqa: F401  (they register predicates)
