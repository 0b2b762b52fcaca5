"""What a recording itself gets wrong: scenes from the other files, as a worse capture would show them."""

from __future__ import annotations

from ..edits import Edit, cut_to, only_first, only_from, twice, without_first
from ..scenario import SCENARIOS, Hidden, Scenario, add
from . import closing, losses, resets

del closing, losses, resets  # imported so that their scenes are entered


def worse(name: str, base: str, story: str, edit: Edit, *hidden: Hidden) -> None:
    """Enter the recording of ``base`` after ``edit``."""
    add(Scenario(name, "recordings", story, hidden=hidden, causes=SCENARIOS[base].causes, base=base, edit=edit))


def unseen(
    host: str, *kernel: str, shown: tuple[str, ...] = (), taps: str = "amb", why: str = "not-captured"
) -> Hidden:
    """What a worse capture does not show of an endpoint."""
    return Hidden(host, why, kernel, shown, taps)


def late(host: str, *kernel: str, shown: tuple[str, ...] = ()) -> Hidden:
    """What a capture begun late does not show."""
    return unseen(host, *kernel, shown=shown, why="began-later")


CLIENT = ("SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT")
SERVER = ("SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED")
WAITED = ("FIN_WAIT_1", "FIN_WAIT_2", "UNKNOWN")
PLAIN, CROSSED = "graceful-client-first", "simultaneous-close"

worse("begun-mid-stream", PLAIN, "The capture began with the connection open.", without_first(5))
worse("begun-at-the-fin", PLAIN, "The capture began with the first FIN.", without_first(7))
worse(
    "begun-at-the-second-fin",
    PLAIN,
    "The capture began with the second FIN: whose the first was, nobody can tell.",
    without_first(9),
    late("a", "TIME_WAIT", shown=("CLOSE_WAIT",)),
    late("b", "LAST_ACK", "CLOSED", shown=WAITED),
)
worse(
    "begun-at-the-last-ack",
    PLAIN,
    "The capture began with the last ACK: it looks like any other.",
    without_first(10),
    late("a", "TIME_WAIT", shown=("ESTABLISHED",)),
)
worse("ended-before-the-close", PLAIN, "The capture ended before any FIN.", only_first(7))
worse("ended-in-the-middle-of-the-close", PLAIN, "The capture ended after the first FIN and its ACK.", only_first(9))
worse("ended-during-the-handshake", PLAIN, "The capture ended after SYN and SYN-ACK.", only_first(2))
worse(
    "only-what-the-client-sent",
    PLAIN,
    "Only A's packets were captured: of B nothing is known but what A acknowledged.",
    only_from(1),
    unseen("a", "FIN_WAIT_2", "TIME_WAIT"),
    unseen("b", *SERVER),
)
worse(
    "only-what-the-server-sent",
    PLAIN,
    "Only B's packets were captured: its FIN may be the first or the second.",
    only_from(2),
    unseen("a", *CLIENT),
    unseen("a", *CLIENT[1:]),
    unseen("b", "CLOSE_WAIT", "LAST_ACK", "CLOSED", shown=("FIN_WAIT_1",)),
)
worse("cut-to-68-bytes", PLAIN, "Only 68 bytes of each packet were kept.", cut_to(68))
worse("every-packet-twice", PLAIN, "Every packet was captured twice.", twice(3000))
worse("every-packet-twice-crossing", CROSSED, "Every packet was captured twice while FINs crossed.", twice(30_000))
worse("every-packet-twice-lossy", "last-ack-lost", "The same while the last ACK was lost.", twice(3000))
worse(
    "crossing-only-one-side",
    CROSSED,
    "The FINs crossed and only A's packets were captured.",
    only_from(1),
    unseen("a", "CLOSING", "TIME_WAIT", taps="mb"),
    unseen("b", "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "CLOSING", "TIME_WAIT"),
)
worse("abort-begun-late", "abortive-close", "The capture began just before the RST.", without_first(7))
