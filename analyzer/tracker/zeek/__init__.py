"""``conn_state`` and ``history`` as Zeek computes them, beside what the tracker itself concludes.

Zeek judges each segment as it passes: it looks for no duplicates, leftovers of older connections or other paths, and it
names two sides, originator and responder, which it may swap. So this is a small state machine of its own
(``segments``, ``states``, ``gaps``), which takes in every segment before the tracker judges it; of a connection without
surprises the fast path tells the same at once (``letters.add_letter``). Its columns are those of the ledger that begin
with ``zeek_``; its numbers count from where the side's own numbers begin (``zeek_start``), modulo 2^32.

docs/zeek.md says what is equal to Zeek's own logs, and what is not.

Fence: only numpy and this project's constants inside.
"""
