"""The page from an analysis."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analyzer.engine.segment_spool import SegmentSpool
from analyzer.errors import UsageError
from analyzer.page import wording
from analyzer.page.connections import PageConnections, page_connections, rows
from analyzer.page.embedded import MISSING, json_text, own, packed, policy, table_library
from analyzer.page.findings import cards, explanations, groups
from analyzer.page.ladders import PageLadders
from analyzer.page.sockets import series, steps
from analyzer.results.netstat import STATES
from analyzer.results.result import Analysed
from analyzer.version import VERSION
from analyzer.views.next_commands import command
from analyzer.views.pictures.colours import DARK, LIGHT, SEVERITY_SIGNS, properties, shared_rules
from analyzer.views.verdict import verdict
from analyzer.writers.atomic_file import whole_file

SCRIPTS = ("base.js", "ladder.js", "sockets.js", "connections.js", "findings.js")
FRAMES = ("frames", "frames, counted through all files,")  # of one capture, of several
NOTICES = 6  # that are not folded
PRINTED = 3  # ladders that stand in the page at once, and on paper


def check_libraries() -> None:
    """Raises UsageError, one line, where a library of the page is missing: before anything is read."""
    try:
        import jinja2  # noqa: F401
        import markdown_it  # noqa: F401
    except ImportError as error:
        raise UsageError(MISSING) from error
    table_library()


def write_page(path: Path, analysed: Analysed, spool: SegmentSpool, words: Sequence[str]) -> None:
    """Write the page of an analysis whose segments are in ``spool``; ``words`` is the command line."""
    text = page_text(analysed, spool, words).encode("utf-8", "backslashreplace")
    with whole_file(path) as file:
        file.write(text)


def page_text(analysed: Analysed, spool: SegmentSpool, words: Sequence[str] = ()) -> str:
    """The page."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    connections = page_connections(analysed)
    ladders = PageLadders(analysed, spool, connections)
    styles = [_styles()]
    scripts = [table_library(), "\n".join(map(own, SCRIPTS))]
    environment = Environment(
        loader=FunctionLoader(own), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    told = _told(analysed, connections, ladders)
    return environment.get_template("page.html").render(
        **told,
        words=words,
        policy=policy(scripts, styles),
        scripts=scripts,
        styles=styles,
        data=json_text(_data(analysed, connections, ladders)),
        blocks=ladders.blocks,
        steps=packed(steps(analysed, connections.streams)) if analysed.overview.flows else "",
    )


def _styles() -> str:
    dark = properties(DARK)
    return (
        f":root{{{properties(LIGHT)}}}@media(prefers-color-scheme:dark){{:root:not(.light){{{dark}}}}}"
        f":root.dark{{{dark}}}@media print{{:root,:root.dark{{{properties(LIGHT)}}}}}{shared_rules()}{own('page.css')}"
    )


def _told(analysed: Analysed, connections: PageConnections, ladders: PageLadders) -> dict[str, Any]:
    """What the template says."""
    summary, overview, listing = analysed.summary, analysed.overview, analysed.listing
    made = cards(summary, listing)
    for card in made:
        card["ladder"] = None
    for card in [card for card in made if card["stream"] in ladders.pictures][:PRINTED]:
        card["ladder"] = card["stream"]
    return {
        "version": VERSION,
        "title": ", ".join(summary.files[:1]) + (f" and {len(summary.files) - 1:,} more" if summary.files[1:] else ""),
        "frames": FRAMES[listing.files.several],
        "verdict": verdict(summary, overview, listing),
        "grave": next((card["severity"] for card in made), ""),
        "captured": wording.captured(analysed),
        "endings": wording.endings(overview),
        "closers": wording.closers(overview),
        "flows": overview.flows,
        "cards": made,
        "signs": SEVERITY_SIGNS,
        "pictures": ladders.pictures,
        "found": len(listing),
        "connections": connections,
        "ladders": len(ladders.place),
        "not_judged": wording.not_judged(analysed),
        "notices": [notice.text for notice in summary.notices],
        "most_notices": NOTICES,
        "timers": wording.timers(analysed),
        "settings": wording.settings(analysed),
        "settings_from": summary.settings_from,
    }


def _data(analysed: Analysed, connections: PageConnections, ladders: PageLadders) -> dict[str, Any]:
    """What the scripts show."""
    summary, listing = analysed.summary, analysed.listing
    found, told = groups(listing, summary.first_ns or 0)

    def asks(name: str, *options: str) -> str:
        return command(name, summary, listing.settings, *options, filters=False)

    return {
        "first": str(summary.first_ns or 0),
        "last": (summary.last_ns or 0) - (summary.first_ns or 0),
        "connections": rows(analysed, connections.streams),
        "findings": found,
        "told": told,
        "explanations": explanations(listing),
        "ladders": ladders.place,
        "series": series(analysed),
        "states": STATES,
        "all": len(connections.streams) == connections.total,
        "total": connections.total,
        "timeWait": analysed.timers.time_wait.length,
        "several": listing.files.several,
        "frames": FRAMES[listing.files.several],
        "commands": {
            "svg": asks("timeline", "--stream", "STREAM", "--svg", "ladder.svg"),
            "timeline": asks("timeline", "--stream", "STREAM"),
            "netstat": asks("netstat", "--at", "TIME"),
        },
    }
