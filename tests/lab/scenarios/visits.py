"""A short connection of somebody else: it shows that the capture still ran at this moment."""

from __future__ import annotations

from captures.recipes.play import close_after_eof

from ..network import Lab


def visit(lab: Lab) -> None:
    """Connect to another port, close, and be closed."""
    client, server = lab.connect(port=9090)
    client.close()
    close_after_eof(server)
