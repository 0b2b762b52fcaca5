"""The two clocks and the path between the taps, in words."""

from collections.abc import Iterator
from math import isfinite

from analyzer.results.taps.clock import MOST_DRIFT, ClockPiece
from analyzer.results.taps.compared import TapsComparison
from analyzer.times import decimal
from analyzer.views.console import duration

PPM = 1e6


def seconds(nanoseconds: float) -> str:
    """Seconds with microseconds."""
    return decimal(round(nanoseconds / 1000) * 1000)[:-3]


def clock_texts(result: TapsComparison) -> Iterator[str]:
    """What is known of clocks and path."""
    pieces = result.clock.pieces
    if not pieces:
        yield (
            "The clocks cannot be compared: in no connection segments passed both ways, and no TTL differs. Which tap "
            "is nearer to whom is not known; times of B are shown as they are."
        )
        return
    if len(pieces) > 1:
        yield f"A clock was set while both captured: {len(pieces)} stretches, each with its own offset."
    for piece in pieces:
        yield _piece_text(piece, result.a.span[0], len(pieces) > 1)
    by = "as the TTLs show" if result.order.by_ttl else "as the times of both ways together show"
    if result.returns_ns is not None:
        yield f"From one tap to the other and back takes at least {duration(result.returns_ns / 1e9)}."
    for pair in result.pairs[:1] if len(result.pairs) == 1 else ():
        client = result.client_sender(pair)
        near = result.near(client)
        yield f"{near} is nearer to the client, {by}." if near else "Which tap is nearer to the client is not known."
    if result.order.contradicted:
        yield (
            f"{result.order.contradicted:,} connections pass the taps in the same order both ways: their path is not "
            "the same there and back."
        )


def _piece_text(piece: ClockPiece, begin: int, several: bool) -> str:
    when = f"From {seconds(piece.begin - begin)} s to {seconds(piece.end - begin)} s: " if several else ""
    return f"{when}{_offset_text(piece)} {_drift_text(piece)}"


def _offset_text(piece: ClockPiece) -> str:
    if not piece.bounded:
        known = piece.high if isfinite(piece.high) else piece.low
        bound = "at most" if isfinite(piece.high) else "at least"
        return (
            f"B's clock is ahead of A's by {bound} {seconds(known)} s; the other bound is missing, because segments "
            "passed both taps in one direction only."
        )
    way, low, high = "ahead of", piece.low, piece.high
    if piece.ahead < 0:
        way, low, high = "behind", -piece.high, -piece.low
    return f"B's clock is {seconds(abs(piece.ahead))} s {way} A's ({seconds(low)} to {seconds(high)} s)."


def _drift_text(piece: ClockPiece) -> str:
    if piece.drift_high - piece.drift_low >= MOST_DRIFT:
        return "Too short a time to tell a drift."
    low, high = piece.drift_low * PPM, piece.drift_high * PPM
    if low <= 0 <= high:
        return f"No drift is shown ({low:+.1f} to {high:+.1f} ppm)."
    return (
        f"It runs {'faster' if low > 0 else 'slower'} by {abs(piece.drift) * PPM:.1f} ppm ({low:+.1f} to {high:+.1f})."
    )
