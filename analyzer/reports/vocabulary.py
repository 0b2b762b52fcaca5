"""The words that codes stand for in the tables, column by column; "" is no value."""

from functools import cache

from analyzer.tracker.log import BASIS_WORDS, NOTE_WORDS
from analyzer.tracker.outcome import CLOSER_WORDS, OBSERVED_WORDS, Handshake, RstCause, Teardown, words_of
from analyzer.tracker.transitions import EVENT_WORDS, NO_ARROW, TABLE, State

STATE_WORDS = [state.name for state in State]
SIDE_WORDS = ["client", "server"]
STATES, ARROWS, NOTES = len(STATE_WORDS), NO_ARROW + 1, len(NOTE_WORDS)

FLOW_WORDS = {
    "handshake": words_of(Handshake),
    "closed_by": CLOSER_WORDS,
    "teardown": words_of(Teardown),
    "client_state": STATE_WORDS,
    "server_state": STATE_WORDS,
    "rst_by": [*SIDE_WORDS, ""],
    "rst_cause": ["", *words_of(RstCause)[1:]],
    "observability": OBSERVED_WORDS,
    "client_known": ["false", "true"],
}
"""Of ENDING, by code."""

ENTRY_WORDS = {
    "event": [word for word, _ in EVENT_WORDS.values()],
    "from_state": STATE_WORDS,
    "state": STATE_WORDS,
    "basis": list(BASIS_WORDS.values()),
}
"""Of ENTRY, by code; the notes apart."""


@cache
def note_texts() -> list[str]:
    """What an entry says in words, by ``arrow * NOTES + note``."""
    known = [_note(arrow, note) for arrow in range(len(TABLE)) for note in NOTE_WORDS.values()]
    unused = [""] * ((NO_ARROW - len(TABLE)) * NOTES)
    return [*known, *unused, *NOTE_WORDS.values()]


def _note(arrow: int, extra: str) -> str:
    """The arrow's words, its section of the standard, and what else is to be said."""
    row = TABLE[arrow]
    source = f" (RFC 9293 {row.section})" if row.section[0].isdigit() else ""
    source = f" ({row.section})" if not source and row.section != "-" else source
    return f"{row.words}{source}" + (f"; {extra}" if extra else "")
