"""Sentences: each kind of field against a slow, obvious twin."""

from decimal import ROUND_HALF_UP, Decimal
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.capture.recording import unbroken
from analyzer.findings import rules
from analyzer.findings.wording import (
    Duration,
    Endpoint,
    FrameNumber,
    Number,
    Piece,
    Role,
    Text,
    Word,
    sentence,
)
from analyzer.results.finding_list import listing_of
from analyzer.results.sentence_values import SentenceValues
from analyzer.results.sentences import SETTERS, line_form, needs_quotes
from analyzer.settings import Settings
from tests.findings.books import END, Book, asked, leaking_server, ledger, sentences


def say(template: str, start: int = 0, **values: object) -> str:
    columns = {name: np.array([value if isinstance(value, int) else 0]) for name, value in values.items()}
    texts = {name: (value,) for name, value in values.items() if isinstance(value, str)}
    (text,) = sentences(template, columns, texts, start)
    return text


def duration_twin(ns: int) -> str:
    unit, name = next(
        (size, name) for size, name in ((10**9, "s"), (10**6, "ms"), (1000, "µs")) if ns >= size or name == "µs"
    )
    value = (Decimal(ns) / unit).quantize(Decimal("0.001"), ROUND_HALF_UP)
    return f"{value.normalize():f} {name}"


@given(st.integers(0, 10**15))
def test_a_duration_has_the_unit_that_fits_and_three_decimals_at_most(ns: int) -> None:
    assert say("{held:duration}", held=ns) == duration_twin(ns)


@given(st.integers(0, 10**15), st.integers(1, 2 * 10**18))
def test_a_moment_is_told_in_seconds_since_the_flows_first_frame(after: int, start: int) -> None:
    rounded = (Decimal(after) / 10**9).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    assert say("{when:into}", start, when=start + after) == f"{rounded:f} s"


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{n}", 8000, "8000"),
        ("{n:byte}", 1, "1 byte"),
        ("{n:byte}", 8000, "8000 bytes"),
        ("{n:keep-alive probe}", 3, "3 keep-alive probes"),
        ("{n:SYN}", 1, "1 SYN"),
        ("{n:RST}", 2, "2 RSTs"),
        ("{n:times}", 1, "once"),
        ("{n:times}", 2, "twice"),
        ("{n:times}", 7, "7 times"),
        ("{n:frame}", 8, "frame 8"),
        ("{n:frame}", 0, "not captured"),
        ("x{n:shown}.", 8, "x (frame 8)."),
        ("x{n:shown}.", 0, "x."),
        ("x{n:silence}", 612_000_000_000, "x, after 612 s of silence"),
        ("x{n:silence}", 0, "x"),
        ("x{n:within}.", 8_001_600_000, "x in 8.002 s."),
        ("x{n:within}.", 0, "x."),
        ("x{n:after}.", 1_510_000, "x, 1.51 ms after."),
        ("x{n:after}.", -5, "x."),
        ("x{n:to}.", 3, "x to 3."),
        ("x{n:to}.", 0, "x."),
        ("x{n:address}.", 1, "x2001:db8::2."),
        ("x{n:address}.", -1, "x."),
        ("{n:state}", 10, "CLOSE_WAIT"),
        ("{n}", "as it is", "as it is"),
        ("{{{n}}}", 1, "{1}"),
        ("no field", 1, "no field"),
    ],
)
def test_each_kind_of_field(template: str, value: object, text: str) -> None:
    assert say(template, n=value) == text


def test_no_rows_make_no_sentences() -> None:
    assert sentences("{n:duration} in {n:frame}", {"n": np.zeros(0, np.int64)}) == []


@given(st.integers(0, 10**12))
def test_what_was_last_heard_is_told_by_the_time_to_the_captures_end(ago: int) -> None:
    assert say("{n:before_end}", n=END - ago) == duration_twin(ago)


ENDS = [("10.0.0.1", 80, "10.0.0.1:80"), ("2001:db8::2", 443, "[2001:db8::2]:443"), ("2001:db8::2", -1, "2001:db8::2")]


@pytest.mark.parametrize(("address", "port", "text"), [*ENDS, ("10.0.0.1", 0, "10.0.0.1")])
def test_endpoints(address: str, port: int, text: str) -> None:
    columns = {"client_ip": ["10.0.0.1", "2001:db8::2"].index(address), "client_port": port, "server_ip": 1}
    for blamed, (own, other) in enumerate([("client", "server"), ("server", "client"), ("client", "server")]):
        row = {name: np.array([value]) for name, value in (columns | {"server_port": 8080, "blamed": blamed}).items()}
        ends = {"client": text, "server": "[2001:db8::2]:8080"}
        said = sentences("{blamed}|{peer}|{client}|{server}|{blamed_at}|{peer_at}|{role}|{port}|{ss}", row, bare=True)
        way = "dport" if own == "client" else "sport"
        assert said == [
            f"{own} {ends[own]}|{other} {ends[other]}|{ends['client']}|{ends['server']}|{ends[own]}|{ends[other]}|{own}"
            f"|8080|'( {way} = :8080 )'"
        ]


@pytest.mark.parametrize(
    ("template", "texts", "always", "needs"),
    [
        ("{n:byte} and {n:frame}", {}, False, [False, False]),
        ("one, {n}", {}, True, [True, True]),
        ('"{n}"', {}, True, [True, True]),
        ("{why}", {"why": ("plain", "no, not so")}, False, [False, True]),
        ("x{why:silence}", {}, False, [False, True]),
        ("x{why:after}", {}, False, [False, True]),
    ],
)
def test_which_cells_need_quotes(
    template: str, texts: dict[str, tuple[str, ...]], always: bool, needs: list[bool]
) -> None:
    words = {f"= {name}": values for name, values in texts.items()}
    made = line_form(sentence(template, rules()["TD307"], words, Settings()), unbroken())
    rows = SentenceValues(
        {"= why": np.array([0, 1]), "= n": np.array([5, 7])}, np.arange(2), np.zeros(1, np.bool_), END
    )
    assert made.always == always
    assert needs_quotes(made, rows).tolist() == needs


def test_a_quote_is_doubled_in_a_cell_in_quotes() -> None:
    texts = {"why": ('say "no"',)}
    assert sentences('"{why}", {n}', {"why": np.array([0]), "n": np.array([3])}, texts, quotes=True) == [
        '"""say ""no"""", 3"'
    ]


def test_every_piece_can_be_set_in_lines() -> None:
    assert set(SETTERS) == set(get_args(Piece))


def test_a_sentence_is_made_of_typed_pieces() -> None:
    template = "The {blamed} sent {size:byte} in {held:duration} (frames {first} to {last}){why}{again:shown}."
    pieces = sentence(template, rules()["TD307"], {"= why": ("", ", late")}, Settings())
    assert pieces == (
        *(Text("The "), Role("blamed"), Text(" "), Endpoint("blamed"), Text(" sent "), Number("= size", "byte")),
        *(Text(" in "), Duration("= held"), Text(" (frames "), FrameNumber("= first", known=True), Text(" to ")),
        *(
            FrameNumber("= last", known=True),
            Text(")"),
            Word("= why", ("", ", late")),
            FrameNumber("= again", " (frame ", ")"),
        ),
        Text("."),
    )


def test_the_pieces_of_a_finding_make_its_sentence() -> None:
    listing = listing_of(ledger(leaking_server(), {}, asked()), Book(), Settings())
    for table in listing.tables:
        rows = np.arange(len(table))
        for name in ("message", "advice"):
            for row, spans in enumerate(listing.spans(table, name, rows)):
                assert "".join(span.text for span in spans) == listing.say(table, name, row)
    leak = next(table for table in listing.tables if table.rule.code == "TD101")
    (spans,) = listing.spans(leak, "message", np.array([0]))
    named = [span.text for span in spans if span.text and isinstance(span.piece, FrameNumber | Endpoint)]
    assert named == ["[2001:db8::2]:80", "frame 8", "9"]
