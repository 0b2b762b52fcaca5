"""teardown analyze: what a capture shows, as summary, tables, JSON or lines."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzer.commands.options import captures, no_fast_path, settings_options
from analyzer.commands.running import analysed_of
from analyzer.errors import UsageError
from analyzer.settings import Settings
from analyzer.views.escape import safe
from analyzer.vocabulary import ANALYSED, FURTHER, SEVERITIES

if TYPE_CHECKING:
    from analyzer.results.result import Analysed

WRITTEN = frozenset(ANALYSED)


def _tables(context: click.Context, option: click.Parameter, value: str | None) -> frozenset[str] | None:
    names = frozenset(name.strip() for name in value.split(",")) if value else None
    if names and (unknown := sorted(names - {*WRITTEN, *FURTHER})):
        there = ", ".join((*ANALYSED, *FURTHER))
        raise click.BadParameter(f"no table {', '.join(unknown)}; there are {there}, and --segments")
    return names


@click.command()
@captures
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the tables flows, timeline and findings into this folder.",
)
@click.option(
    "--format",
    type=click.Choice(["csv", "parquet"]),
    help="File format of --out.  [default: csv]",
)
@click.option(
    "--tables",
    metavar="NAMES",
    callback=_tables,
    help=f"Write only these tables; separate them by commas. Others are {', '.join(FURTHER)}.  "
    "[default: flows,timeline,findings]",
)
@click.option("--segments", is_flag=True, help="Also write the table of all TCP segments.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the summary.")
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
    quiet: bool,
    fail_on: str | None,
    **thresholds: Any,
) -> int:
    """Report how each TCP connection in the captures ended.

    With --code, each finding with one of these codes is printed on a line instead of the summary.
    """
    asked = {"--segments": segments, "--tables": tables, "--format": format}
    if out is None and any(asked.values()):
        option = next(name for name, value in asked.items() if value)
        raise UsageError(f"{option} needs --out DIR, the folder to write into")
    wanted = (tables or WRITTEN if out else frozenset()) | (WRITTEN if as_json else frozenset())
    settings = Settings(**thresholds | _kept(wanted), keep_segments=segments)
    analysed = analysed_of(captures, settings, quiet, out)
    written = _written(analysed, out, format or "csv", (tables or WRITTEN) | ({"segments"} if segments else set()))
    if as_json:
        from analyzer.writers.json_document import json_document

        sys.stdout.writelines(json_document(analysed.result()))
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
    from analyzer.errors import UnwritableOutput
    from analyzer.writers.tables import stale, write_analysed

    before = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    paths = write_analysed(analysed, folder, format, tables)
    replaced = [path.name for path in paths if path.name in before]
    said = [f"Wrote {', '.join(map(str, paths))}" + (f" (replaced {', '.join(replaced)})" if replaced else "")]
    if old := stale(folder, paths):
        try:
            for path in old:
                path.unlink()
        except OSError as error:
            raise UnwritableOutput(f"cannot remove {path}, of an earlier run: {error.strerror}") from error
        said.append(f"Removed {', '.join(map(str, old))}: of an earlier run, and not written now")
    return said


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
