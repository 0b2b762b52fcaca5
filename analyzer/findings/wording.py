"""Sentences as sequences of typed pieces: what the templates of a rule say, whoever sets it and in whatever format.

A template is text with fields in braces, ``{held:duration}``. A field names one of the rule's values, one of its
thresholds, or one of these: ``blamed`` and ``peer`` (role, address and port), ``client``, ``server``, ``blamed_at``
and ``peer_at`` (address and port), ``blamed_ip``, ``peer_ip``, ``role``, ``peer_role``, ``stream``, ``port`` (the
server's), ``ss``, the filter that finds such sockets on the blamed host, and ``pid``, which a shell there replaces by
the process that has one. Commands need other names for IPv4 and IPv6: ``OF_FAMILY`` has them, ``{ip}.src``. A doubled
brace is a brace. The kind behind the colon:

    none          whole numbers as digits, text as it is
    duration      nanoseconds in the unit that fits, exact to the third decimal: 419 µs, 41.959 ms, 75.312 s
    into          a moment, as seconds since the flow's first frame (Wireshark's tcp.time_relative): 2.100584 s
    before_end    a moment, as the duration from then to the capture's end; or to the first gap in the capture, and then
                  the words "before the capture's end" behind it say so, too
    times         once, twice, 7 times
    frame         frame 8; not captured
    numbered      8, a frame's number
    shown         (frame 8), or nothing
    silence       , after 612 s of silence; or nothing
    quiet         , then nothing for 61 s; or nothing
    nor_from      , nor of anything that it had sent from frame 8 on; or nothing
    in_filter     5060 )', or nothing
    of_this       . Of this, 1 s passed between. Or nothing
    late           It had opened late: the SYN was repeated, and the SYN-ACK came 1 s after the first. Or nothing
    ahead         , 20.1 s before the FIN; or nothing
    unanswered    ; 3 probes before it had not been answered either. Or nothing
    none_after    ; nothing of the other side was captured after frame 8. Or nothing
    neither       ; the acknowledgment number of the other side does not cover frame 8 either. Or nothing
    its_last      ; the other side still sent, last in frame 8. Or nothing
    broken         that frame 8 had ended, or nothing
    survived       (it had survived 200 s before), or nothing
    ending         in answer to frame 8, which was sent; or nothing
    within         in 8.002 s, or nothing
    than           than 60 s, with the full stop; or nothing
    every          than every 240 s, or nothing
    next_hop      , next-hop MTU 1400; or nothing
    carried        Each repeat of the oldest data carries 1448 bytes; or nothing
    few           ; the client's last data were 39 bytes, which may be no request. Or nothing
    of_them       ; the RST acknowledges 14480 bytes of them; or nothing
    above         , more than any segment of it that was acknowledged (200 bytes at most); or nothing
    without_it    ; the other side repeated an acknowledgment meanwhile that does not cover them (frame 8). Or nothing
    pinged        1472 and a space behind, or nothing
    after         , 1.51 ms after; or nothing
    entered       , entered 37 s before; or nothing
    to             to 3, or nothing
    address       an address, or nothing for -1
    state         a State code by its name
    another word  that many of it: 1 byte, 8000 bytes

A whole number right behind the word "frame" or "frames" is a frame's number. Where several captures were given each
frame is told by its number in its own file, with that file's name. A command names its capture; it reads the file of
the frame that decides and finds the connection there by its addresses and ports, since the numbers that Wireshark gives
to connections are others in each file.

:func:`sentence` makes the pieces. They name columns of the findings (``= held`` is the rule's value ``held``), so one
sentence serves all rows; whoever writes a format sets each type of piece in its own way.
"""

import re
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Literal, NamedTuple

from analyzer.capture.frame_files import FrameFiles
from analyzer.capture.recording import Recording, unbroken
from analyzer.findings.rule import Rule
from analyzer.settings import Settings

ROLES = ("client", "server")
UNITS = ("s", "ms", "µs")
THE_END = " before the capture's end"
A_FRAME = re.compile(r"\bframes? $")  # behind these words a bare number is a frame's
ANOTHER = (" to ", " and ")  # or behind these, if the number before was one
STREAM, CAPTURE = "tcp.stream == {stream}", "CAPTURE"  # in commands that are advised

Party = Literal["blamed", "peer", "client", "server"]


class Text(NamedTuple):
    """The same text in each row."""

    text: str


class Word(NamedTuple):
    """One of some texts: the value is its place."""

    value: str
    texts: tuple[str, ...]


class Number(NamedTuple):
    """A whole number; of a ``noun`` if there is one: 8000 bytes. Where there are texts ``before`` or ``behind``, all of
    it is only said of a number above 0."""

    value: str
    noun: str = ""
    before: str = ""
    behind: str = ""


class Times(NamedTuple):
    """How often: once, twice, 7 times."""

    value: str


class Duration(NamedTuple):
    """Nanoseconds. Where there are texts ``before`` or ``behind``, it and they are only said of a value above 0."""

    value: str
    before: str = ""
    behind: str = ""


class Moment(NamedTuple):
    """A time, told from the first frame of the flow."""

    value: str


class TimeLeft(NamedTuple):
    """The duration from a time to the capture's end, or to the next gap in it; ``told``: and which of these it is."""

    value: str
    told: bool


class FrameNumber(NamedTuple):
    """A frame's number. Where it need not be ``known`` (0 is none) it has texts ``before`` and ``behind``, or the text
    ``missing`` in its place."""

    value: str
    before: str = ""
    behind: str = ""
    missing: str = ""
    known: bool = False


class Address(NamedTuple):
    """An address; nothing for -1."""

    value: str


class StateName(NamedTuple):
    """A TCP state."""

    value: str


class Role(NamedTuple):
    """Client or server."""

    party: Party


class Host(NamedTuple):
    """An endpoint's address."""

    party: Party


class Endpoint(NamedTuple):
    """An endpoint's address and port."""

    party: Party


class SocketFilter(NamedTuple):
    """The filter that makes ``ss`` show such sockets on the blamed host."""


class ConversationFilter(NamedTuple):
    """The filter with which Wireshark shows the connection, by its addresses and ports."""


class OfFamily(NamedTuple):
    """What a command needs for IPv4, and what for IPv6: the connection's family decides."""

    v4: str
    v6: str


class CaptureFile(NamedTuple):
    """The file of the frame that decides, as a command takes it."""


Piece = (
    Text
    | Word
    | Number
    | Times
    | Duration
    | Moment
    | TimeLeft
    | FrameNumber
    | Address
    | StateName
    | Role
    | Host
    | Endpoint
    | SocketFilter
    | ConversationFilter
    | OfFamily
    | CaptureFile
)
Sentence = tuple[Piece, ...]

OF_FAMILY = {
    "ip": OfFamily("ip", "ipv6"),
    "hop_limit": OfFamily("ip.ttl", "ipv6.hlim"),
    "ip_id": OfFamily(" -e ip.id", ""),  # IPv6 has none
    "hops_left": OfFamily("TTL", "hop limit"),
    "hops_left_and_id": OfFamily("TTL and IP id", "hop limit"),
    "tcp_rst": OfFamily("tcp[tcpflags] & tcp-rst != 0", "ip6[6] == 6 and ip6[53] & 4 != 0"),  # tcp[] reads IPv4 only
    "conntrack": OfFamily("conntrack -L", "conntrack -L -f ipv6"),
    "bridge_calls": OfFamily("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"),
}
FIELDS: dict[str, Sentence] = {
    "blamed": (Role("blamed"), Text(" "), Endpoint("blamed")),
    "peer": (Role("peer"), Text(" "), Endpoint("peer")),
    "client": (Endpoint("client"),),
    "server": (Endpoint("server"),),
    "blamed_at": (Endpoint("blamed"),),
    "peer_at": (Endpoint("peer"),),
    "other": (Endpoint("peer"),),
    "blamed_ip": (Host("blamed"),),
    "peer_ip": (Host("peer"),),
    "role": (Role("blamed"),),
    "peer_role": (Role("peer"),),
    "stream": (Number("stream"),),
    "port": (Number("server_port"),),
    "ss": (SocketFilter(),),
    "pid": (Text("$(ss -Hatnp "), SocketFilter(), Text(" | grep -o 'pid=[0-9]*' | head -1 | cut -d= -f2)")),
    "conversation": (ConversationFilter(),),
    "capture": (CaptureFile(),),
    **{name: (piece,) for name, piece in OF_FAMILY.items()},
}
KINDS: dict[str, Callable[[str], Piece]] = {
    "": Number,
    "duration": Duration,
    "into": Moment,
    "before_end": lambda value: TimeLeft(value, False),
    "times": Times,
    "frame": lambda value: FrameNumber(value, "frame ", missing="not captured"),
    "numbered": lambda value: FrameNumber(value, known=True),
    "shown": lambda value: FrameNumber(value, " (frame ", ")"),
    "broken": lambda value: FrameNumber(value, " that frame ", " had ended"),
    "survived": lambda value: Duration(value, " (it had survived ", " before)"),
    "ending": lambda value: FrameNumber(value, " in answer to frame ", ", which was sent"),
    "to": lambda value: FrameNumber(value, " to "),
    "silence": lambda value: Duration(value, ", after ", " of silence"),
    "quiet": lambda value: Duration(value, ", then nothing for "),
    "nor_from": lambda value: FrameNumber(value, ", nor of anything that it had sent from frame ", " on"),
    "in_filter": lambda value: Number(value, behind=" )'"),
    "of_this": lambda value: Duration(value, ". Of this, ", " passed between"),
    "late": lambda value: Duration(
        value, " The connection had opened late: the SYN was repeated, and the SYN-ACK came ", " after the first"
    ),
    "ahead": lambda value: Duration(value, ", ", " before the FIN"),
    "unanswered": lambda value: Number(value, "probe", "; ", " before it had not been answered either"),
    "none_after": lambda value: FrameNumber(value, "; nothing of the other side was captured after frame "),
    "neither": lambda value: FrameNumber(
        value, "; the acknowledgment number of the other side does not cover frame ", " either"
    ),
    "its_last": lambda value: FrameNumber(value, "; the other side still sent, last in frame "),
    "within": lambda value: Duration(value, " in "),
    "than": lambda value: Duration(value, " than ", "."),
    "every": lambda value: Duration(value, " than every "),
    "few": lambda value: Number(value, "byte", "; the client's last data were ", ", which may be no request"),
    "next_hop": lambda value: Number(value, before=", next-hop MTU "),
    "carried": lambda value: Number(value, "byte", " Each repeat of the oldest data carries "),
    "of_them": lambda value: Number(value, "byte", "; the RST acknowledges ", " of them"),
    "above": lambda value: Number(value, "byte", ", more than any segment of it that was acknowledged (", " at most)"),
    "without_it": lambda value: FrameNumber(
        value, "; the other side repeated an acknowledgment meanwhile that does not cover them (frame ", ")."
    ),
    "pinged": lambda value: Number(value, behind=" "),
    "after": lambda value: Duration(value, ", ", " after"),
    "entered": lambda value: Duration(value, ", entered ", " before"),
    "address": Address,
    "state": StateName,
}


def sentence(
    template: str,
    rule: Rule,
    texts: Mapping[str, tuple[str, ...]],
    settings: Settings,
    recording: Recording | None = None,
) -> Sentence:
    """The pieces of ``template`` of ``rule``; ``texts`` are the words of values that are codes, by ``= name``.
    ``recording`` tells which captures were given."""
    files, frame = (recording or unbroken()).frame_files, False
    made: list[Piece] = []
    for literal, name, kind, _ in Formatter().parse(_named(template, files)):
        frame = bool(A_FRAME.search(literal) or (frame and literal in ANOTHER)) and not kind
        if made and isinstance(made[-1], TimeLeft) and literal.startswith(THE_END):
            made[-1] = made[-1]._replace(told=True)
            literal = literal.removeprefix(THE_END)
        if literal:
            made.append(Text(literal))
        if name:
            limit = _threshold(name, kind or "", rule, settings)
            made += [Text(limit)] if limit else _field(name, kind or "", frame, texts.get(f"= {name}"))
    return tuple(made)


def _named(template: str, files: FrameFiles) -> str:
    """``template`` with commands that name their capture, and find a connection in one of several."""
    if files.several:
        return template.replace(STREAM, "{conversation}").replace(CAPTURE, "{capture}")
    if files.files and files.files[0] != "-":
        return template.replace(CAPTURE, files.quoted(0).replace("{", "{{").replace("}", "}}"))
    return template


def _field(name: str, kind: str, frame: bool, texts: tuple[str, ...] | None) -> Sentence:
    """The pieces of one field; ``frame``: the words before it say that it is a frame's number."""
    value = f"= {name}"
    if name in FIELDS:
        return FIELDS[name]
    if texts is not None:
        return (Word(value, texts),)
    if frame:
        return (FrameNumber(value, known=True),)
    return (KINDS[kind](value) if kind in KINDS else Number(value, kind),)


def _threshold(name: str, kind: str, rule: Rule, settings: Settings) -> str:
    """The threshold that a field names in words; nothing where it names none."""
    field = next((field for field in (name + "_ns", name) if field in rule.thresholds), "")
    return threshold(getattr(settings, field), kind) if field else ""


def threshold(value: int, kind: str) -> str:
    """A threshold in words."""
    if kind != "duration":
        return str(value)
    unit = 0 if value >= 10**9 else 1 if value >= 10**6 else 2
    step = 10 ** (6 - 3 * unit)
    whole, rest = divmod((value + step // 2) // step, 1000)
    return f"{whole}{decimals(rest)} {UNITS[unit]}"


def decimals(thousandths: int) -> str:
    """Thousandths behind the point, no more digits than needed."""
    return f".{thousandths:03d}".rstrip("0") if thousandths else ""
