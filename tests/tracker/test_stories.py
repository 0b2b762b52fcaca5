"""Stories of TCP opening and closing, told as the field tells them; every state and every event occurs in one."""

from __future__ import annotations

import pytest

from analyzer.flows.table import FlowTable
from analyzer.settings import Settings
from analyzer.tcp.evidence import Basis
from analyzer.tcp.states import NO_ARROW, TABLE, Event, State
from analyzer.tracker.track import Tracker

from .entries import sided
from .stories import Expected, Told, batch, told

OPENED = """A S 0:1             | A SYN_SENT
B S. 0:1 ack 1      | B SYN_RECEIVED
A . 1:1 ack 1       | A ESTABLISHED, B {b}
A P. 1:101 ack 1    |
B P. 1:201 ack 101  |
A . 101:101 ack 201 |
"""
OPEN = OPENED.format(b="ESTABLISHED").strip()
STORIES = told(f"""
the ordinary close, client first
{OPEN}
A F. 101:102 ack 201  | A FIN_WAIT_1
B . 201:201 ack 102   | B CLOSE_WAIT, A FIN_WAIT_2~
+50 B F. 201:202 ack 102 | B LAST_ACK
A . 102:102 ack 202   | A TIME_WAIT~, B CLOSED~

the ordinary close, server first, FIN and ACK in one segment
{OPEN}
B F. 201:202 ack 101  | B FIN_WAIT_1
A F. 101:102 ack 202  | A CLOSE_WAIT, A LAST_ACK, B FIN_WAIT_2~
B . 202:202 ack 102   | B TIME_WAIT~, A CLOSED~

the FINs cross
{OPEN}
A F. 101:102 ack 201  | A FIN_WAIT_1
+1 B F. 201:202 ack 101 | B FIN_WAIT_1
B . 202:202 ack 102   | B CLOSING, A CLOSING, A TIME_WAIT~
+1 A . 102:102 ack 202 | B TIME_WAIT~

a FIN with data
{OPEN}
A FP. 101:152 ack 201 | A FIN_WAIT_1
B . 201:201 ack 152   | B CLOSE_WAIT, A FIN_WAIT_2~

the acknowledgment of the data is not the FIN's
{OPEN}
A FP. 101:152 ack 201 | A FIN_WAIT_1
B . 201:201 ack 151   |

the FIN is lost and repeated
{OPEN}
A F. 101:102 ack 201  | A FIN_WAIT_1
+230 A F. 101:102 ack 201 |
B . 201:201 ack 102   | B CLOSE_WAIT, A FIN_WAIT_2~
B . 201:201 ack 102   |

the repeated FIN carries data before it and is the same FIN
{OPEN}
A P. 101:151 ack 201  |
A F. 151:152 ack 201  | A FIN_WAIT_1
+230 A FP. 101:152 ack 201 |
B . 201:201 ack 152   | B CLOSE_WAIT, A FIN_WAIT_2~

the last ACK is lost: the repeated FIN takes CLOSED back, and TIME_WAIT answers again
{OPEN}
A F. 101:102 ack 201  | A FIN_WAIT_1
B . 201:201 ack 102   | B CLOSE_WAIT, A FIN_WAIT_2~
B F. 201:202 ack 102  | B LAST_ACK
A . 102:102 ack 202   | A TIME_WAIT~
+230 B F. 201:202 ack 102 |
A . 102:102 ack 202   | B CLOSED~

TIME_WAIT ends by its timer
{OPEN}
A F. 101:102 ack 201  | A FIN_WAIT_1
B F. 201:202 ack 102  | B CLOSE_WAIT, B LAST_ACK, A FIN_WAIT_2~
A . 102:102 ack 202   | A TIME_WAIT~, B CLOSED~
+70000 B . 202:202 ack 102 |
| A CLOSED*

a RST that was not its own ends no TIME_WAIT
{OPEN}
B F. 201:202 ack 101  | B FIN_WAIT_1
A . 101:101 ack 202   | A CLOSE_WAIT, B FIN_WAIT_2~
A F. 101:102 ack 202  | A LAST_ACK
B . 202:202 ack 102   | B TIME_WAIT~, A CLOSED~
+210 B R. 202:202 ack 102 |
+210 B . 190:195 ack 101 |
+70000 A . 102:102 ack 202 |
| B CLOSED*

FIN_WAIT_2 had ended when the late FIN came
{OPEN}
A F. 101:102 ack 201  | A FIN_WAIT_1
B . 201:201 ack 102   | B CLOSE_WAIT, A FIN_WAIT_2~
+90000 B F. 201:202 ack 102 | B LAST_ACK
A R 102:102           | B CLOSED~
| A CLOSED*

a half-close in use
{OPEN}
A F. 101:102 ack 201  | A FIN_WAIT_1
B . 201:201 ack 102   | B CLOSE_WAIT, A FIN_WAIT_2~
B P. 201:301 ack 102  |
A . 102:102 ack 301   |
B F. 301:302 ack 102  | B LAST_ACK
A . 102:102 ack 302   | A TIME_WAIT~, B CLOSED~

a FIN ahead of its data counts when the hole is filled
{OPEN}
A F. 151:152 ack 201  | A FIN_WAIT_1
B . 201:201 ack 101   |
A P. 101:151 ack 201  |
B . 201:201 ack 152   | B CLOSE_WAIT, A FIN_WAIT_2~

a reset without an apparent trigger
{OPEN}
A R. 101:101 ack 201  | A CLOSED, B CLOSED~

a reset answers data after the close, and the FIN is there first
{OPEN}
B F. 201:202 ack 101  | B FIN_WAIT_1
+1 A P. 101:151 ack 201 |
B R 201:201           | B CLOSED, A CLOSE_WAIT~, A CLOSED~

a reset inside the window but not at its edge is challenged
{OPEN}
A R 5000:5000         |
B . 201:201 ack 101   |
A P. 101:151 ack 201  |

a reset outside the window is dropped
{OPEN}
A R 900000:900000     |
A P. 101:151 ack 201  |
B . 201:201 ack 151   |

a reset that the receiver went on after
{OPEN}
A R 101:101           | A CLOSED
+500 B P. 201:301 ack 101 |

each late segment draws its own reset
{OPEN}
A R. 101:101 ack 201  | A CLOSED, B CLOSED~
B P. 201:301 ack 101  |
A R 101:101           |

a connection refused
A S 0:1               | A SYN_SENT
B R. 0:0 ack 1        | A CLOSED~

a half-open probe
A S 0:1               | A SYN_SENT
B S. 0:1 ack 1        | B SYN_RECEIVED
A R 1:1               | A CLOSED, B CLOSED~

a SYN and a SYN-ACK repeated
A S 0:1               | A SYN_SENT
+1000 A S 0:1         |
B S. 0:1 ack 1        | B SYN_RECEIVED
+1000 B S. 0:1 ack 1  |
A . 1:1 ack 1         | A ESTABLISHED, B ESTABLISHED~

the handshake's last ACK did not arrive
A S 0:1               | A SYN_SENT
B S. 0:1 ack 1        | B SYN_RECEIVED
A . 1:1 ack 1         | A ESTABLISHED
+1000 B S. 0:1 ack 1  |
A . 1:1 ack 1         | B ESTABLISHED~

the SYNs cross
A S 0:1               | A SYN_SENT
+1 B S 0:1            | B SYN_SENT
A S. 0:1 ack 1        | A SYN_RECEIVED
+1 B S. 0:1 ack 1     | B SYN_RECEIVED, A ESTABLISHED
A . 1:1 ack 1         | B ESTABLISHED~

closed before the handshake's last ACK came
A S 0:51              | A SYN_SENT
B S. 0:1 ack 51       | B SYN_RECEIVED
B P. 1:101 ack 51     |
B F. 101:102 ack 51   | B FIN_WAIT_1
A . 51:51 ack 102     | A ESTABLISHED, A CLOSE_WAIT, B FIN_WAIT_2~

a capture begun in the middle
B P. 201:301 ack 101  | B ESTABLISHED~
A . 101:101 ack 301   | A ESTABLISHED~
A F. 101:102 ack 301  | A FIN_WAIT_1
B . 301:301 ack 102   | B CLOSE_WAIT, A FIN_WAIT_2~

a capture begun at the second FIN: whose the first was, nobody can tell
B F. 201:202 ack 102  | B FIN_WAIT_1~
A . 102:102 ack 202   | A CLOSE_WAIT~, B FIN_WAIT_2~
| B UNKNOWN~

a lone FIN and nothing else
A F. 101:102 ack 201  | A FIN_WAIT_1~
| A UNKNOWN~

the FIN itself was not captured
{OPEN}
B . 201:201 ack 102   | A FIN_WAIT_1~, B CLOSE_WAIT~, A FIN_WAIT_2~

new data at the number taken for a FIN: there was none
{OPEN}
B . 201:201 ack 102   |
A P. 101:151 ack 201  |

data beyond its own FIN
{OPEN}
A F. 101:102 ack 201  | A FIN_WAIT_1
A P. 102:202 ack 201  |

a keep-alive is no data
{OPEN}
A F. 101:102 ack 201  | A FIN_WAIT_1
B . 201:201 ack 102   | B CLOSE_WAIT, A FIN_WAIT_2~
+5000 B . 200:200 ack 102 |
A . 102:102 ack 201   |
""")


def log_of(story: Told) -> list[tuple[str, str, str, int, Event, bool]]:
    """What the tracker writes: endpoint, state, mark, frame, event, and whether the state was entered."""
    rows = batch(story)
    table, tracker = FlowTable(), Tracker(Settings())
    table.assign(rows)
    tracker.feed(rows, table.rows)
    entries = sided(tracker.finish(int(rows["time"].max())), table)
    marks = {Basis.ASSUMED: "~", Basis.TIMER: "*"}
    side = {0: "A", 1: "B"} if rows["src"][0] == 0 else {0: "B", 1: "A"}
    return [
        (side[which], State(r["state"]).name, marks.get(Basis(r["basis"]), ""), int(r["frame"]),
         Event(r["event"]), bool(r["state"] != r["from_state"]))
        for _, which, r in entries
    ]  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story(story: Told) -> None:
    entered: dict[int, Expected] = {}
    for end, state, mark, frame, _, moved in log_of(story):
        if moved:
            entered.setdefault(frame, []).append((end, state, mark))
    said = {number: sorted(line.shows) for number, line in enumerate(story.lines, 1) if line.shows}
    unseen = {0: sorted(story.unseen)} if story.unseen else {}
    assert {frame: sorted(entries) for frame, entries in entered.items()} == {**unseen, **said}


def test_every_state_is_entered_and_every_event_happens() -> None:
    rows = [row for story in STORIES for row in log_of(story)]
    assert {state for _, state, _, _, _, moved in rows if moved} == set(State.__members__) - {"LISTEN"}
    others = {Event.REPLACED, Event.STALE_ACK}  # of two connections on one tuple: in the laboratory's reuse scenes
    assert {row[4] for row in rows} == set(Event) - others


def test_every_arrow_a_packet_or_timer_draws_is_drawn() -> None:
    """Resets and replacements apart, which every state knows; and but for a FIN that somebody acknowledges who by his
    own segments never was ESTABLISHED."""
    drawn = set()
    for story in STORIES:
        rows = batch(story)
        table, tracker = FlowTable(), Tracker(Settings())
        table.assign(rows)
        tracker.feed(rows, table.rows)
        entries = sided(tracker.finish(int(rows["time"].max())), table)
        drawn |= {int(entry["arrow"]) for _, _, entry in entries if entry["arrow"] != NO_ARROW}
    common = (Event.SENT_RST, Event.RCVD_RST, Event.REPLACED)
    moving = {n for n, arrow in enumerate(TABLE) if arrow.next != arrow.state and arrow.event not in common}
    missing = {(TABLE[n].state, TABLE[n].event) for n in moving - drawn}
    assert missing == {(State.SYN_RECEIVED, Event.RCVD_FIN)}
