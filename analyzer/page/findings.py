"""The findings on the page: the gravest as cards, all of them by code and endpoint."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings import explain
from analyzer.findings.wording import ROLES
from analyzer.results.finding_list import FindingList, RuleFindings
from analyzer.results.source_summary import Summary
from analyzer.times import outer_column
from analyzer.units import UNKNOWN
from analyzer.views.console import endpoint
from analyzer.views.next_commands import command
from analyzer.views.pictures.colours import SEVERITY_SIGNS
from analyzer.views.summary_findings import by_importance, how_many
from analyzer.views.wireshark_filters import members, of_addresses

CARDS, CHIPS, ENDPOINTS = 6, 24, 40
TOLD = 1200  # findings that are told in full
ROOM = 160  # characters of a display filter


def cards(summary: Summary, listing: FindingList) -> list[dict[str, Any]]:
    """The gravest codes."""
    tables = by_importance(listing.tables)
    urgent = [table for table in tables if table.rule.severity != "info"] or tables
    return [_card(summary, listing, table) for table in urgent[:CARDS]]


def _card(summary: Summary, listing: FindingList, table: RuleFindings) -> dict[str, Any]:
    example = table.surest
    blamed, others = listing.blamed(table, 3)
    advice, next_words, next_command = _advice(listing.say(table, "advice", example))
    stream = int(table.columns["stream"][example])
    streams = table.shown_streams.tolist()
    shown, used = members("tcp.stream", streams, ROOM) if streams else ("", 0)
    if not streams or listing.files.several:  # each file has numbers of its own
        shown, used = of_addresses(*listing.ends(table, example)), len(streams)
    return {
        **head(table),
        "blamed": [f"{end.role} {_name(end.address, end.port)} ({end.findings:,})" for end in blamed],
        "others": others,
        "stream": None if stream == UNKNOWN else stream,
        "message": listing.say(table, "message", example),
        "confidence": table.confidence(example),
        "frames": listing.say(table, "frames", example).replace(";", ", "),
        "advice": advice,
        "next_words": next_words,
        "next": next_command,
        "command": command("analyze", summary, listing.settings, "--code", table.rule.code),
        "filter": shown,
        "left_out": len(streams) - used,
        "streams": streams[:CHIPS],
        "more": max(len(streams) - CHIPS, 0),
    }


def _advice(text: str) -> tuple[str, str, str]:
    """An advice without its last sentence, the words of that, and the command in it."""
    words, begins, rest = text.rpartition(" Next")
    said, _, command_words = rest.partition(": ")
    return (words, f"Next{said}", command_words) if begins and command_words else (text, "", "")


def head(table: RuleFindings) -> dict[str, Any]:
    """A code, and how often it was found."""
    rule = table.rule
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity,
        "sign": SEVERITY_SIGNS[rule.severity],
        "title": rule.title,
        "count": len(table),
        "how_many": how_many(table),
    }


def groups(listing: FindingList, first_ns: int) -> tuple[list[dict[str, Any]], int]:
    """All codes with the endpoints they blame and the findings that are told in full; and how many these are."""
    tables = by_importance(listing.tables)
    shares = _shares([len(table) for table in tables])
    return [_group(listing, table, share, first_ns) for table, share in zip(tables, shares, strict=True)], sum(shares)


def _shares(counts: list[int]) -> list[int]:
    """How many of each are told in full: of no code less than of another, unless it has no more."""
    shares, left, open_ = [0] * len(counts), TOLD, list(range(len(counts)))
    while open_ and left >= len(open_):
        each = left // len(open_)
        for place in open_:
            taken = min(each, counts[place] - shares[place])
            shares[place] += taken
            left -= taken
        open_ = [place for place in open_ if shares[place] < counts[place]]
    return shares


def _group(listing: FindingList, table: RuleFindings, share: int, first_ns: int) -> dict[str, Any]:
    rows = table.by_stream[
        np.lexsort((table.columns["when"][table.by_stream], table.columns["confidence"][table.by_stream]))
    ]
    kept = np.sort(rows[:share])
    blamed, others = listing.blamed(table, ENDPOINTS)
    names = _endpoints(listing, table, kept)
    said = {name: listing.lines(table.template(name), table, kept).words().texts() for name in ("message", "frames")}
    streams = table.columns["stream"][kept].tolist()
    advice = list(dict.fromkeys(listing.lines(table.template("advice"), table, kept[:1]).words().texts()))
    times = outer_column(table.columns["when"][kept]).tolist()
    return {
        **head(table),
        "endpoints": [[end.role, _name(end.address, end.port), end.findings] for end in blamed],
        "others": others,
        "advice": advice[0] if advice else "",
        "rows": [
            [
                None if stream == UNKNOWN else stream,
                name,
                None if time == UNKNOWN else time - first_ns,
                frames.replace(";", ", "),
                table.confidence(int(row)),
                message,
            ]
            for stream, name, time, frames, row, message in zip(
                streams, names, times, said["frames"], kept, said["message"], strict=True
            )
        ],
    }


def _endpoints(listing: FindingList, table: RuleFindings, rows: NDArray[np.int64]) -> list[str]:
    """Whom each finding blames, as ``blamed`` names it: a client by its address alone; "" for nobody."""
    columns = table.columns
    names = []
    for row in rows.tolist():
        side = int(columns["blamed"][row])
        role = ROLES[side] if side < len(ROLES) else ""
        address = listing.address(int(columns[f"{role}_ip"][row])) if role else ""
        port = int(columns["server_port"][row]) if role == "server" else -1
        names.append(_name(address, port) if address else "")
    return names


def _name(address: str, port: int) -> str:
    return endpoint(address, port) if port >= 0 else address


def explanations(listing: FindingList) -> dict[str, str]:
    """The page of each code that was found, as HTML. It comes from the rules, not from a capture."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return {table.rule.code: markdown.render(explain(table.rule.code)) for table in by_importance(listing.tables)}
