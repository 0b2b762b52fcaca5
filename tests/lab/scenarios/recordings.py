"""What a recording itself gets wrong: scenes from the other files, as a worse capture would show them."""

from __future__ import annotations

from ..edits import Edit, cut_to, only_first, only_from, twice, without_first
from ..scenario import SCENARIOS, Hidden, Scenario, add
from . import closing, losses, resets

del closing, losses, resets  # imported so that their scenes are entered


def worse(name: str, base: str, story: str, edit: Edit, *hidden: Hidden) -> None:
    """Enter the recording of ``base`` after ``edit``."""
    add(Scenario(name, "recordings", story, hidden=hidden, causes=SCENARIOS[base].causes, base=base, edit=edit))


worse("begun-mid-stream", "graceful-client-first", "The capture began with the connection open.", without_first(5))
worse("begun-at-the-fin", "graceful-client-first", "The capture began with the first FIN.", without_first(7))
worse("begun-at-the-second-fin", "graceful-client-first", "It began with the second FIN.", without_first(9))
worse("begun-at-the-last-ack", "graceful-client-first", "It began with the last ACK.", without_first(10))
worse("ended-before-the-close", "graceful-client-first", "The capture ended before any FIN.", only_first(7))
worse("ended-in-the-middle-of-the-close", "graceful-client-first", "It ended after the first FIN and ACK.", only_first(9))
worse("ended-during-the-handshake", "graceful-client-first", "It ended after SYN and SYN-ACK.", only_first(2))
worse("only-what-the-client-sent", "graceful-client-first", "Only A's packets were captured.", only_from(1))
worse("only-what-the-server-sent", "graceful-client-first", "Only B's packets were captured.", only_from(2))
worse("cut-to-68-bytes", "graceful-client-first", "Only 68 bytes of each packet were kept.", cut_to(68))
worse("every-packet-twice", "graceful-client-first", "Every packet was captured twice.", twice(3000))
worse("every-packet-twice-crossing", "simultaneous-close", "The same while FINs cross.", twice(30_000))
worse("every-packet-twice-lossy", "last-ack-lost", "The same while the last ACK is lost.", twice(3000))
worse("crossing-only-one-side", "simultaneous-close", "FINs cross, only A's packets are captured.", only_from(1))
worse("abort-begun-late", "abortive-close", "The capture began just before the RST.", without_first(7))
