"""The words of the column ``note`` in timeline.csv."""

from functools import cache

from analyzer.settings import seconds_text
from analyzer.tcp.evidence import NOTE_WORDS, Note
from analyzer.tcp.states import NO_ARROW, TABLE, Arrow, Event, State
from analyzer.tcp.timers import Timer, Timers

NOTES = len(NOTE_WORDS)


@cache
def note_texts(timers: Timers) -> list[str]:
    """What an entry says in words, by ``arrow * NOTES + note``, with these timers in force."""
    known = [_note(row, note, timers) for row in TABLE for note in NOTE_WORDS]
    unused = [""] * ((NO_ARROW - len(TABLE)) * NOTES)
    return [*known, *unused, *NOTE_WORDS.values()]


def _note(row: Arrow, note: Note, timers: Timers) -> str:
    """The arrow's words, its section of the standard, and what else is to be said."""
    if row.event == Event.TIMER:
        return _timer_note(row.state, note, timer_of(row.state, timers))
    ignored = row.event == Event.RST_IGNORED and row.state == State.TIME_WAIT and note == Note.OUTSIDE_WINDOW
    if ignored and not timers.rst_ends_time_wait:
        return f"{row.words}; profile {timers.profile} drops every RST in TIME_WAIT (RFC 1337)"
    source = f" (RFC 9293 {row.section})" if row.section[0].isdigit() else ""
    source = f" ({row.section})" if not source and row.section != "-" else source
    told = note == Note.NONE or (note == Note.HAD_EXPIRED and row.event == Event.SENT_RST)  # the arrow says that itself
    return f"{row.words}{source}" + ("" if told else f"; {NOTE_WORDS[note]}")


def _timer_note(state: State, note: Note, timer: Timer) -> str:
    """What ended the state, and how that is known: a packet shows it, or only the timer in force says so."""
    length = f"{seconds_text(timer.length)} s"
    if note == Note.NONE:
        return f"{state.name} ends after {length}: {timer.source}"
    return f"{state.name} had ended: {NOTE_WORDS[note]}; {timer.source}: after {length}"


def timer_of(state: State, timers: Timers) -> Timer:
    """The timer that ends the state."""
    return timers.time_wait if state == State.TIME_WAIT else timers.fin_wait_2
