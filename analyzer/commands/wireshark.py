"""teardown wireshark: states and findings as fields, columns and colours of Wireshark."""

from pathlib import Path

import click

from analyzer.command import Command
from analyzer.errors import UsageError
from analyzer.views.escape import safe


@click.command(cls=Command)
@click.option("--install", is_flag=True, help="Install the fields, and a profile with columns and colours.")
@click.option("--remove", is_flag=True, help="Remove them.")
@click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    help="Wireshark's personal folder.  [default: as tshark -G folders tells]",
)
def wireshark(install: bool, remove: bool, folder: Path | None) -> None:
    """Install fields for Wireshark and tshark that show what annotate wrote.

    They are teardown.client_state, teardown.server_state, teardown.finding, teardown.severity, teardown.confidence and
    teardown.blamed.
    """
    if install == remove:
        raise UsageError("give one of --install and --remove")
    from analyzer.annotate import wireshark as plugin

    where = folder or plugin.folder_of()
    done = plugin.install(where) if install else plugin.remove(where)
    for path in done:
        click.echo(f"{'Wrote' if install else 'Removed'} {safe(str(path))}")
    if install:
        click.echo("Next: teardown annotate CAPTURE OUT.pcapng, then: wireshark -C teardown OUT.pcapng")
