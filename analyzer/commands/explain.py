"""teardown explain: the page of a finding, or the known timers."""

import click

from analyzer.command import Command
from analyzer.commands.options import option_of
from analyzer.errors import UsageError


@click.command(cls=Command)
@click.argument("code", required=False)
@click.argument("value", required=False)
@click.option("--list", "listed", is_flag=True, help="List all findings.")
@option_of("timers")
def explain(code: str | None, value: str | None, listed: bool, timers: str | None) -> None:
    """Explain a finding: what it means, when it is harmless, what to do.

    "timers" instead of a CODE lists the known timers of systems, programs and devices; with a VALUE, such as 350 or 5m,
    those that fire then, or with a name, such as nginx, those that have it.
    """
    of_timers = code is not None and code.lower() == "timers"
    if listed == (code is not None) or ((value, timers) != (None, None) and not of_timers):
        raise UsageError("name a finding (teardown explain TD101), or timers (teardown explain timers 350), or --list")
    from analyzer.views.console import show, width

    if of_timers:
        from analyzer.views.timer_list import timer_lines

        show(timer_lines(value, timers))
        return
    from analyzer.views.explanation import list_lines, page_lines

    show(list_lines(width(100)) if code is None else page_lines(code, width(100, alone=100)))
