"""The slow twin of ``conn_state`` and ``history``: Zeek's view of one connection, as its documentation and its sources
have it, with whole lists of what has arrived and numbers that never wrap.

It takes segments as they pass, duplicates and leftovers too, and knows nothing of the tracker.
"""

from dataclasses import dataclass, field

FIN, SYN, RST, ACK = 1, 2, 4, 16
INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET = range(7)
FAR = 1 << 20  # a SYN or RST so far from the last number says nothing of it
UNACKED = 16_384  # bytes above a hole after which a side whose data nobody acknowledges is not put together any more
SERVER_PORTS = frozenset(
    {21, 22, 25, 53, 79, 80, 81, 88, 135, 139, 143, 389, 443, 445, 465, 502, 563, 585, 587, 614, 631, 636, 989, 990}
    | {992, 993, 995, 1080, 1434, 1883, 2811, 3128, 3268, 3306, 3389, 5222, 5223, 5269, 5432, 6379, 6666, 6667, 6668}
    | {6669, 8000, 8080, 8888, 20000}
)


@dataclass
class Seen:
    """A segment as Zeek looks at it."""

    side: int
    flags: int
    seq: int
    ack: int
    length: int
    window: int


@dataclass
class End:
    """One side, in numbers that count from its SYN and do not wrap."""

    state: int = INACTIVE
    before: int = INACTIVE
    start: int = 0
    last: int = 0
    acked: int = 0
    fin: int | None = None
    syn_at: int = 0
    fin_at: int = 0
    rst_at: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    arrived: int = 1  # everything before it has arrived, or was given up
    pieces: list[tuple[int, int]] = field(default_factory=list)  # what has arrived beyond it
    given_up: bool = False

    def go(self, state: int) -> None:
        """Enter a state."""
        if state != self.state:
            self.before, self.state = self.state, state

    def begin(self, number: int, last: int) -> None:
        """Count from there."""
        self.start, self.acked, self.last = number, 0, last

    def place(self, number: int, near: int) -> int:
        """A number of the wire, counted from the start, close to ``near``."""
        return near + (number - self.start - near + 2**31) % 2**32 - 2**31

    @property
    def clean(self) -> bool:
        """Whether it was established, and has closed at most."""
        return self.state == ESTABLISHED or (self.state == CLOSED and self.before == ESTABLISHED)

    def size(self, peer: "End") -> int:
        """Bytes it sent, by its numbers."""
        if self.before == SYN_SENT and self.state == RESET and peer.state == INACTIVE and self.acked not in (0, 1):
            return 0
        whole = max(self.last, self.acked)
        whole -= whole != 0
        return whole - (whole != 0 and self.fin is not None)


@dataclass
class Connection:
    """What Zeek knows of a connection; ``opener`` is the side of the originator."""

    opener: int
    history: str = ""
    ends: tuple[End, End] = field(default_factory=lambda: (End(), End()))
    once: set[str] = field(default_factory=set)

    @classmethod
    def first(cls, s: Seen, ports: tuple[int, int]) -> "Connection":
        """A connection that begins with that segment, whose sender and receiver have these ports."""
        source, target = ports
        opens = s.flags & (SYN | ACK) == SYN
        flip = source in SERVER_PORTS and not opens
        if flip and target in SERVER_PORTS:
            flip = not s.flags & SYN and source < target
        return cls(s.side ^ flip, "^" if flip else "")

    def note(self, letter: str, side: int) -> None:
        """Write a letter."""
        self.history += letter if side == self.opener else letter.lower()

    def note_once(self, letter: str, side: int, kind: str = "") -> bool:
        """Write a letter unless that side has one of its kind; returns whether it has."""
        if letter in "AD" and self.history == "H":
            self.opener, self.history = self.opener ^ 1, "^h"
        kind = (kind or letter) + ("o" if side == self.opener else "r")
        if kind in self.once:
            return True
        self.once.add(kind)
        self.note(letter, side)
        return False

    def note_often(self, letter: str, side: int) -> None:
        """Write a letter the first, tenth, hundredth time and so on."""
        counts = self.ends[side].counts
        counts[letter] = counts.get(letter, 0) + 1
        digits = str(counts[letter])
        if digits.strip("0") == "1":
            self.note(letter, side)

    def take(self, s: Seen) -> None:
        """Take in a segment."""
        e, p = self.ends[s.side], self.ends[s.side ^ 1]
        was_opener = s.side == self.opener
        end = s.length * (not s.flags & RST) + bool(s.flags & SYN) + bool(s.flags & FIN)
        self.place_sender(e, s, end)
        here = e.place(s.seq, e.last)
        below = here < 0
        self.write(s, e, here)
        if s.window == 0 and not s.flags & RST and p.state != CLOSED and e.state != RESET:
            self.note_often("W", s.side)
        if s.flags & FIN:
            e.fin = here + end
        acked = self.acknowledged(s, p)
        self.advance(s, e, here + end)
        self.move(s, e, p, was_opener)
        if s.flags & ACK:
            self.check_gap(p, s.side ^ 1, acked)
        if s.length and not s.flags & RST and not below:
            arrive(e, here + bool(s.flags & SYN), s.length)

    def place_sender(self, e: End, s: Seen, end: int) -> None:
        """Where the sender's numbers begin."""
        if e.state == INACTIVE:
            if s.flags & SYN:
                e.begin(s.seq, end)
            else:
                e.begin(s.seq - 1, 1)
        elif s.flags & SYN:
            jumped = (s.seq - e.start) % 2**32 != 0
            anew = (
                (e.state in (SYN_SENT, SYN_ACK_SENT) and jumped)
                or e.state in (ESTABLISHED, PARTIAL)
                or (e.state == RESET and e.before == INACTIVE)
            )
            if anew:
                e.begin(s.seq, end)

    def write(self, s: Seen, e: End, here: int) -> None:
        """The letter of a segment's flags."""
        kinds = [flag for flag in (SYN, FIN, RST) if s.flags & flag]
        if len(kinds) > 1:
            self.note_once("I" if s.flags & FIN and s.flags & RST else "Q", s.side)
        elif kinds == [SYN]:
            letter = "H" if s.flags & ACK else "S"
            if self.note_once(letter, s.side, "S") and here != e.syn_at:
                self.note(letter, s.side)
            e.syn_at = here
        elif kinds == [FIN]:
            if self.note_once("F", s.side) and here + s.length != e.fin_at:
                self.note("F", s.side)
            e.fin_at = here + s.length
        elif kinds == [RST]:
            if self.note_once("R", s.side) and here != e.rst_at:
                self.note("R", s.side)
            e.rst_at = here
        elif s.length:
            self.note_once("D", s.side)
        elif s.flags & ACK:
            self.note_once("A", s.side)

    def acknowledged(self, s: Seen, p: End) -> int:
        """Up to where the segment acknowledges what its receiver sent."""
        if not s.flags & ACK:
            return 0
        if p.state == INACTIVE:
            p.begin(s.ack - 1, 0)
            return 1
        there = p.place(s.ack, p.acked)
        if there < 0:
            return 0
        if not s.flags & RST and (s.ack != 0 or there - p.acked <= FAR):
            p.acked = max(p.acked, there)
        return there

    def advance(self, s: Seen, e: End, end: int) -> None:
        """How far the sender has come; or it repeats itself."""
        ahead = end - e.last
        if s.flags & (SYN | RST) and abs(ahead) > FAR:
            return
        if s.flags & FIN and e.last == 1:
            e.last = end
        elif e.state != RESET:
            if ahead > 0:
                e.last = end
            elif s.length:
                self.note_often("T", s.side)

    def move(self, s: Seen, e: End, p: End, opener: bool) -> None:
        """The states that follow."""
        fin, rst = s.flags & FIN, s.flags & RST
        if e.state == INACTIVE:
            self.appear(s, e, p, opener)
        elif e.state in (SYN_SENT, SYN_ACK_SENT):
            if fin:
                e.go(CLOSED)
            if rst:
                e.go(RESET)
        elif e.state in (ESTABLISHED, PARTIAL):
            if s.flags & (SYN | ACK) == SYN and e.state == PARTIAL and p.state == INACTIVE:
                e.go(SYN_SENT)
            if fin and not rst:
                e.go(CLOSED)
                if p.state == RESET and p.before == CLOSED:
                    p.go(CLOSED)
            if rst:
                e.go(RESET)
        elif e.state == CLOSED and rst and p.state != CLOSED:
            e.go(RESET)

    def appear(self, s: Seen, e: End, p: End, opener: bool) -> None:
        """The first segment of a side."""
        if s.flags & SYN and opener:
            e.go(SYN_ACK_SENT if s.flags & ACK else SYN_SENT)
        elif s.flags & SYN:
            if not s.flags & ACK and p.state == SYN_ACK_SENT:
                self.opener ^= 1
                self.history += "^"
                p.go(ESTABLISHED)
            if p.state == SYN_SENT:
                p.go(ESTABLISHED)
            e.go(ESTABLISHED)
        if s.flags & FIN:
            e.go(CLOSED)
        if s.flags & RST:
            e.go(RESET)
        if e.state == INACTIVE:
            if not opener and not s.length and self.ends[self.opener].state == SYN_SENT:
                return
            e.go(ESTABLISHED if s.flags & ACK and p.state == ESTABLISHED else PARTIAL)

    def check_gap(self, e: End, side: int, acked: int) -> None:
        """What is acknowledged and has not arrived is a gap each."""
        if e.fin is not None and acked >= e.fin:
            acked = e.fin - 1
        while e.arrived < acked:
            after = [piece for piece in e.pieces if e.arrived < piece[0] < acked]
            if not e.given_up and all(end.clean for end in self.ends):
                self.note_often("G", side)
            e.arrived = min(after)[0] if after and not e.given_up else acked
            join(e)

    @property
    def state(self) -> str:
        """``conn_state``."""
        one, other = self.ends[self.opener], self.ends[self.opener ^ 1]
        silent, peer_silent = one.state in (INACTIVE, PARTIAL), other.state in (INACTIVE, PARTIAL)
        if other.state == RESET:
            nothing = one.size(other) == 0 and other.size(one) == 0
            if one.state in (SYN_SENT, SYN_ACK_SENT) or (one.state == RESET and nothing):
                return "REJ"
            return "RSTRH" if silent else "RSTR"
        if one.state == RESET:
            if not peer_silent:
                return "RSTO"
            letters = self.history.removeprefix("^")
            before = letters.split("R")[0]
            opened = letters[:1] == "S" and "R" in letters and not set(before[1:]) & set("HAFGIQ")
            return "RSTOS0" if opened else "OTH"
        if one.state == CLOSED:
            return "SF" if other.state == CLOSED else "SH" if peer_silent else "S2"
        if other.state == CLOSED:
            return "SHR" if silent else "S3"
        if one.state == SYN_SENT and other.state == INACTIVE:
            return "S0"
        return "S1" if one.state == other.state == ESTABLISHED else "OTH"


def arrive(e: End, begin: int, length: int) -> None:
    """Payload arrives; what was acknowledged before is not looked at any more."""
    if e.given_up or begin + length <= e.acked:
        return
    e.pieces.append((max(begin, e.acked), begin + length))
    join(e)
    if e.acked in (0, 1) and e.pieces and max(end for _, end in e.pieces) - e.arrived > UNACKED:
        e.given_up, e.pieces = True, []


def join(e: End) -> None:
    """What arrived without a hole before it."""
    for begin, end in sorted(e.pieces):
        if begin <= e.arrived:
            e.arrived = max(e.arrived, end)
    e.pieces = [piece for piece in e.pieces if piece[1] > e.arrived]
