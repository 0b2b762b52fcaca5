"""teardown analyze: what a capture shows, as summary, tables, JSON or lines."""

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzer.command import Command
from analyzer.commands.options import captures, no_fast_path, settings_options
from analyzer.commands.running import analysed_of, print_bytes
from analyzer.errors import UsageError
from analyzer.settings import Settings
from analyzer.shell_words import shell_word
from analyzer.views.escape import safe
from analyzer.vocabulary import ANALYSED, FURTHER, SEVERITIES

if TYPE_CHECKING:
    from analyzer.engine.segment_spool import SegmentSpool
    from analyzer.results.result import Analysed

WRITTEN = frozenset(ANALYSED)
PRINTED = frozenset(("flows", "findings"))  # by --jsonl
FORMATS = ("csv", "parquet", "jsonl")


def _tables(context: click.Context, option: click.Parameter, value: str | None) -> frozenset[str] | None:
    names = frozenset(name.strip() for name in value.split(",")) if value else None
    if names and (unknown := sorted(names - {*WRITTEN, *FURTHER})):
        there = ", ".join((*ANALYSED, *FURTHER))
        raise click.BadParameter(f"no table {', '.join(unknown)}; there are {there}, and --segments")
    return names


@click.command(cls=Command)
@captures
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, readable=False),
    help="Write the tables flows, timeline and findings into this folder.",
)
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    help="File format of --out.  [default: csv]",
)
@click.option(
    "--tables",
    metavar="NAMES",
    callback=_tables,
    help=f"Write only these tables; separate them by commas. Others are {', '.join(FURTHER)}.  "
    "[default: flows,timeline,findings; of --jsonl flows,findings]",
)
@click.option("--segments", is_flag=True, help="Also write the table of all TCP segments.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the summary.")
@click.option(
    "--jsonl",
    "as_lines",
    is_flag=True,
    help="Print JSON, one object a line, instead of the summary: the capture, then each row of the tables.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    help="Write one page with everything, to look at and to hand on; it needs no network.",
)
@click.option("--quiet", is_flag=True, help="Print no summary.")
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), help="Exit with status 1 if any finding has this severity or higher."
)
@no_fast_path
@settings_options
def analyze(
    captures: tuple[str, ...],
    out: Path | None,
    format: str | None,
    tables: frozenset[str] | None,
    segments: bool,
    as_json: bool,
    as_lines: bool,
    html: Path | None,
    quiet: bool,
    fail_on: str | None,
    **thresholds: Any,
) -> int:
    """Report how each TCP connection in the captures ended.

    With --code, each finding with one of these codes is printed on a line instead of the summary.
    """
    if as_json and as_lines:
        raise UsageError("--json and --jsonl are two forms of the same; give one")
    asked = {"--format": format} | ({} if as_lines else {"--segments": segments, "--tables": tables})
    if out is None and any(asked.values()):
        option = next(name for name, value in asked.items() if value)
        raise UsageError(f"{option} needs --out DIR, the folder to write into")
    also = frozenset({"segments"} if segments else ())
    files, lines = ((tables or usual) | also for usual in (WRITTEN, PRINTED))
    paged = frozenset({"timeline"} if html else ())
    settings = Settings(
        **thresholds | _kept((files if out else frozenset()) | (lines if as_lines else frozenset()) | paged),
        keep_segments=segments,
    )
    spool = _page_begun(html) if html else None
    analysed = analysed_of(captures, settings, quiet, out, spool.take if spool else None)
    written = _written(analysed, out, format or "csv", files)
    if html and spool:
        written.append(_page_written(html, analysed, spool))
    if as_json:
        from analyzer.writers.json_document import json_document

        sys.stdout.writelines(json_document(analysed))
    elif as_lines:
        print_bytes(_lines(analysed, lines))
    elif settings.code and not quiet:
        _print_found(analysed, settings.code)
    elif not quiet:
        _print_summary(analysed, written)
    return int(fail_on is not None and _worst(analysed) <= SEVERITIES.index(fail_on))


def _kept(tables: Collection[str]) -> dict[str, Any]:
    """What has to be kept for these tables."""
    further = tuple(name for name in FURTHER if name in tables)
    sources = {*tables, *(FURTHER[name] for name in further)}
    timeline = "timeline" in sources
    return {"keep_flows": timeline or "flows" in sources, "keep_timeline": timeline, "keep_further": further}


def _written(analysed: "Analysed", folder: Path | None, format: str, tables: Collection[str]) -> list[str]:
    """Write the tables; what was done, in words."""
    if folder is None:
        return []
    from analyzer.errors import unwritable
    from analyzer.views.progress import ProgressBar
    from analyzer.writers.tables import stale, write_analysed

    before = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    with ProgressBar("writing", "rows") as bar:
        paths = write_analysed(analysed, folder, format, tables, bar)
    replaced = [path.name for path in paths if path.name in before]
    said = [f"Wrote {', '.join(map(str, paths))}" + (f" (replaced {', '.join(replaced)})" if replaced else "")]
    if old := stale(folder, paths):
        try:
            for path in old:
                path.unlink()
        except OSError as error:
            raise unwritable(f"cannot remove {path}, of an earlier run", error) from error
        said.append(f"Removed {', '.join(map(str, old))}: of an earlier run, and not written now")
    return said


def _page_begun(path: Path) -> "SegmentSpool":
    """Where the segments go of which the ladders of the page are made.

    Raises UsageError where a library is missing, UnwritableOutput where ``path`` cannot be written.
    """
    from analyzer.engine.segment_spool import SegmentSpool
    from analyzer.page.document import check_libraries
    from analyzer.writers.atomic_file import check_output

    check_libraries()
    check_output(path)
    return SegmentSpool()


def _page_written(path: Path, analysed: "Analysed", spool: "SegmentSpool") -> str:
    """Write the page; what was done, in words."""
    from analyzer.page.document import write_page

    write_page(path, analysed, spool, ["teardown", *map(shell_word, sys.argv[1:])])
    return f"Wrote {path}"


def _lines(analysed: "Analysed", names: Collection[str]) -> Iterator[bytes | memoryview]:
    """The capture and the rows of these tables, each as an object on a line that says which table it is of."""
    import json

    from analyzer.vocabulary import TABLE_NAMES
    from analyzer.writers import jsonl
    from analyzer.writers.json_document import head_of

    yield (json.dumps({"table": "capture", **head_of(analysed)}) + "\n").encode()
    for name in (name for name in TABLE_NAMES if name in names):
        if name == "findings":
            yield from jsonl.finding_lines(analysed.listing, name)
        else:
            yield from (text.data for text in jsonl.table_lines(analysed.tables, name, analysed.segments, named=True))
    for name in (name for name in FURTHER if name in names):
        yield from (text.data for text in jsonl.number_lines(analysed.further(name), name))


def _print_summary(analysed: "Analysed", written: list[str]) -> None:
    from analyzer.views.console import Line, show, width
    from analyzer.views.summary import summary_lines

    notes = [Line(), *(Line(safe(line)) for line in written)] if written else []
    show([*summary_lines(analysed.summary, analysed.overview, analysed.listing, width(100)), *notes])


def _print_found(analysed: "Analysed", code: str) -> None:
    from analyzer.filters import codes_of
    from analyzer.views.console import show
    from analyzer.views.finding_lines import found_lines

    show(found_lines(analysed.listing, codes_of(code)))


def _worst(analysed: "Analysed") -> int:
    """The place of the gravest finding in SEVERITIES, beyond its end if there is none."""
    found = {table.rule.severity for table in analysed.listing.tables}
    return next((place for place, word in enumerate(SEVERITIES) if word in found), len(SEVERITIES))
