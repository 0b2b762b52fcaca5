"""teardown annotate: the captures with what was found as comments of their packets."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from analyzer.command import Command
from analyzer.commands.options import captures, no_fast_path, settings_options
from analyzer.commands.running import analysed_of
from analyzer.errors import UsageError
from analyzer.settings import Settings
from analyzer.units import counted
from analyzer.views.escape import safe


@partial(settings_options, without=("engine",))
@click.command(cls=Command)
@captures
@click.argument("out", metavar="OUT.pcapng", type=click.Path(path_type=Path, dir_okay=False, readable=False))
@click.option("--only-findings", is_flag=True, help="Keep only the connections that a finding is about.")
@click.option("--brief", is_flag=True, help="Write comments only for findings, none for states.")
@no_fast_path
def annotate(captures: tuple[str, ...], out: Path, only_findings: bool, brief: bool, **thresholds: Any) -> None:
    """Write the captures as pcapng, with every state and finding as a packet comment.

    The filters, and --only-findings, keep only the packets of the connections concerned. Several captures must follow
    each other in time; each becomes a section.
    """
    written(captures, out, only_findings, brief, Settings(**thresholds, keep_further=()))


def written(captures: Sequence[str], out: Path, only_findings: bool, brief: bool, settings: Settings) -> None:
    """Write the annotated copy and say so. Raises UsageError where it would be an input, or empty."""
    _check(captures, out)
    settings = replace(settings, keep_timeline=not brief, keep_flows=True)
    from analyzer.annotate.comments import comments_of
    from analyzer.annotate.frames import NO_FRAMES, FrameOwners
    from analyzer.annotate.writer import AnnotatedCopy
    from analyzer.capture import open_captures
    from analyzer.writers.atomic_file import whole_file

    chosen = only_findings or settings.filtered
    owners = None if brief and not chosen else FrameOwners()
    analysed = analysed_of(captures, settings, each=owners.take if owners else None)
    with open_captures(captures, settings.capture_gap_ns, settings.skip_bad) as capture:
        paths = capture.paths
    _check_order(paths, analysed.listing.files)
    if owners and not brief:
        owners.arrange(analysed)
    comments = comments_of(analysed, None if brief else owners)
    keep, remark = NO_FRAMES, ""
    if owners and chosen:
        keep = owners.kept(analysed, only_findings, comments_of(analysed))
        if not keep.any():
            raise UsageError("no connection has a finding" if only_findings else "no connection fits the filters")
        remark = "teardown: an extract; comments name frames by their numbers in the whole capture"
    with whole_file(out) as file:
        done = AnnotatedCopy(file, comments, keep, remark).add(paths)
    click.echo(
        f"Wrote {safe(str(out))}: {counted(done.packets, 'packet')}, {counted(done.comments, 'comment')}", err=True
    )
    if done.untold:
        click.echo(
            f"teardown: {counted(done.untold, 'comment')} left out: simple packet blocks can have none", err=True
        )


def _check(captures: Sequence[str], out: Path) -> None:
    """Raises UsageError where the captures cannot be read twice, or one of them would be overwritten."""
    for name in captures:
        path = Path(name)
        if name == "-" or (path.exists() and not path.is_file()):
            raise UsageError(f"{safe(name)} can be read only once, and annotate reads twice: save it as a file first")
        if path.exists() and out.exists() and path.samefile(out):
            raise UsageError(f"{safe(str(out))} is one of the captures: name another file to write")


def _check_order(paths: Sequence[str], files: Any) -> None:
    """Raises UsageError where captures overlap in time: their sections could not stand behind each other."""
    if files.several and len(set(runs := files.runs()[0].tolist())) < len(runs):
        raise UsageError(
            f"{safe(paths[0])} and the others overlap in time: join them first with: mergecap -w ALL.pcapng IN..."
        )
