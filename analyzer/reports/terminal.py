"""The summary a busy person acts on: what was read, how connections ended, what is wrong, where to look.

The order is that of questions asked under pressure. Every finding comes with one example and with the display
filter that shows it in Wireshark. What could not be judged stands at the end, because silence would read as
health.
"""

import shlex
from collections.abc import Iterator

import pandas as pd
from rich.text import Text

from analyzer.reports import filters
from analyzer.reports.catalogue import names
from analyzer.reports.columns import SEVERITIES
from analyzer.reports.counts import endings, servers
from analyzer.reports.escape import safe
from analyzer.reports.result import Result, Summary
from analyzer.reports.text import (
    SEVERITY_STYLES,
    advice_lines,
    aligned,
    count,
    duration,
    endpoint,
    heading,
    size,
    wrapped,
)

SERVERS_SHOWN = 10
FILES_SHOWN = 5
ACT = "error"  # the severity at which somebody must act: its advice stands in the summary


def summary_lines(result: Result, columns: int = 80) -> list[Text]:
    """The whole summary, wrapped at ``columns``."""
    parts = (
        _read(result.summary, columns),
        _endings(result.flows),
        _servers(result.flows),
        _findings(result, columns),
        _next_steps(result),
        _not_judged(result.summary, columns),
        _notices(result.summary, columns),
    )
    return [line for part in parts for line in part]


def _read(summary: Summary, columns: int) -> Iterator[Text]:
    yield from (Text(safe(name), style="bold") for name in summary.files[:FILES_SHOWN])
    if len(summary.files) > FILES_SHOWN:
        yield Text(f"... and {len(summary.files) - FILES_SHOWN} more files")
    counts = [size(summary.bytes), count(summary.packets, "packet"), count(summary.segments, "TCP segment")]
    links = [", ".join(summary.link_types)] if summary.link_types else []
    yield Text(", ".join([*counts, count(summary.streams, "connection"), *links]))
    if summary.first_ns is not None and summary.last_ns is not None:
        yield Text(_span(summary.first_ns, summary.last_ns))
    for what, packets in summary.not_understood.items():
        yield from map(Text, wrapped(f"not analysed: {count(packets, 'packet')}, {what}", 0, columns))


def _span(first_ns: int, last_ns: int) -> str:
    first, last = (pd.Timestamp(ns, unit="ns", tz="UTC") for ns in (first_ns, last_ns))
    same_day = first.date() == last.date()
    end = f"{last:%H:%M:%S.%f}" if same_day else f"{last:%Y-%m-%d %H:%M:%S.%f}"
    return f"{first:%Y-%m-%d %H:%M:%S.%f} to {end} UTC ({duration((last_ns - first_ns) / 1e9)})"


def _endings(flows: pd.DataFrame) -> list[Text]:
    """How many connections ended in each way, by who closed first."""
    if flows.empty:
        return []
    table = endings(flows)
    rows = [["ending", *table.columns], *([word, *map(_cell, counts)] for word, counts in table.iterrows())]
    return _counted("How connections ended, and who closed first", rows)


def _servers(flows: pd.DataFrame) -> list[Text]:
    """Who closed first at each server address and port, the busiest first."""
    if flows.empty:
        return []
    table = servers(flows)
    busiest = table.head(SERVERS_SHOWN)
    rows = [["server", *table.columns]]
    rows += [
        [endpoint(*key), *map(_cell, counts)] for key, counts in zip(busiest.index, busiest.to_numpy(), strict=True)
    ]
    more = len(table) - len(busiest)
    rest = [Text(f"... and {count(more, 'more server')}")] if more else []
    return [*_counted("Who closed first, by server", rows), *rest]


def _counted(title: str, rows: list[list[str]]) -> list[Text]:
    first, *others = aligned(rows)
    return [*heading(title), Text(first, style="dim"), *map(Text, others)]


def _cell(number: int) -> str:
    return f"{number:,}" if number else "-"


def _nothing(result: Result) -> str:
    """What to say where there is no finding."""
    cut = result.summary.not_understood.get("headers cut", 0)
    if result.flows.empty and cut:
        return f"No TCP header is whole: the snap length cut {count(cut, 'packet')}. Capture with -s 128 or more."
    return "There is no TCP connection in it." if result.flows.empty else "No findings"


def _findings(result: Result, columns: int) -> Iterator[Text]:
    """One entry for each code: the gravest first, then the most frequent."""
    findings = result.findings
    if findings.empty:
        yield from heading(_nothing(result))
        return
    counts = findings["severity"].value_counts()
    told = [
        count(counts[word], word) if word != "info" else f"{counts[word]:,} info"
        for word in SEVERITIES
        if counts.get(word)
    ]
    yield from heading(f"Findings: {', '.join(told)}")
    for code in by_importance(findings):
        yield from _finding(code, findings[findings["code"] == code], columns)


def by_importance(findings: pd.DataFrame) -> list[str]:
    """The codes in ``findings``: by severity, then by how many there are, then by code."""
    grouped = findings.groupby("code", observed=True)["severity"].agg(["first", "size"]).reset_index()
    grouped["rank"] = grouped["first"].map(list(SEVERITIES).index).astype(int)
    order = grouped.sort_values(["rank", "size", "code"], ascending=[True, False, True])
    return [str(code) for code in order["code"]]


def _finding(code: str, rows: pd.DataFrame, columns: int) -> Iterator[Text]:
    severity = str(rows["severity"].iloc[0])
    line = Text(f"{severity:<8} ", style=SEVERITY_STYLES[severity])
    yield line.append(f"{code} {names().get(code, '')}", style="bold").append(f": {_how_many(rows)}", style="default")
    example = rows.iloc[rows["confidence"].astype(str).map(("high", "medium", "low").index).argmin()]
    label = "" if len(rows) == 1 else "e.g. "
    yield from map(Text, wrapped(f"{label}{example['message']} [{example['confidence']} confidence]", 9, columns))
    if severity == ACT:
        yield from (Text(line, style="bold") for line in advice_lines(f"-> {example['advice']}", 9, columns))
    yield Text(" " * 9).append(filters.of_findings(rows, 68), style="green")


def _how_many(rows: pd.DataFrame) -> str:
    streams = rows["stream"].dropna().nunique()
    if streams == 0:
        return count(len(rows), "time")
    return count(streams, "connection") if streams == len(rows) else f"{len(rows):,} in {count(streams, 'connection')}"


def _next_steps(result: Result) -> list[Text]:
    """The two commands that lead on from the gravest finding about one connection."""
    with_stream = result.findings[result.findings["stream"].notna()]
    if with_stream.empty:
        return []
    code = by_importance(with_stream)[0]
    stream = with_stream.loc[with_stream["code"] == code, "stream"].iloc[0]
    captures = " ".join(shlex.quote(safe(name)) for name in result.summary.files)
    return [
        *heading("Next"),
        Text(f"teardown timeline {captures} --stream {stream}"),
        Text(f"teardown explain {code}"),
    ]


def _not_judged(summary: Summary, columns: int) -> Iterator[Text]:
    if summary.cannot_judge:
        yield from heading("Could not be judged")
    for entry in summary.cannot_judge:
        text = f"{entry.code} {names().get(entry.code, '')}: {count(entry.flows, 'connection')}, {entry.reason}"
        yield from map(Text, wrapped(text, 0, columns))


def _notices(summary: Summary, columns: int) -> Iterator[Text]:
    if summary.notices:
        yield from heading("Notices")
    for notice in summary.notices:
        yield from (Text(line, style="yellow") for line in wrapped(notice.text, 0, columns))
