"""The recipes of the captures beside this folder: a function each, named for what happens in its capture.

A docstring says what happens, why it does, and what the report must say. A recipe gets a fresh laboratory
(`tests.lab`) whose tap already listens, plays its scene with real sockets, and leaves; the recorder stops the
tap, edits and writes the file. ``late`` recipes start the tap themselves, in the middle of the scene.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable

from tests.lab import Lab
from tests.lab.pcapfile import Packet

Edit = Callable[[list[Packet]], list[Packet]]
Parts = Callable[[list[Packet]], dict[str, list[Packet]]]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one capture is made."""

    name: str  # file name with suffix; the suffix is the format. Of several files, their folder
    play: Callable[..., None]  # the scene; a late one takes a second argument that starts the tap
    tap: str = "a"  # where tcpdump listens, as Lab.tap names places
    snaplen: int = 128  # every header, and the first bytes of the payload
    filter: str = "tcp"
    late: bool = False
    edit: Edit | None = None  # what is done to the recorded packets afterwards
    parts: Parts | None = None  # into which files they are cut, all of them pcap


RECIPES: dict[str, Recipe] = {}


def recipe(suffix: str = "pcapng", **options: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Enter a scene among the recipes, under its own name."""

    def enter(play: Callable[..., None]) -> Callable[..., None]:
        stem = play.__name__.replace("_", "-")
        name = stem if "parts" in options else f"{stem}.{suffix}"
        RECIPES[stem] = Recipe(name, play, **options)  # type: ignore[arg-type]
        return play

    return enter


def load() -> dict[str, Recipe]:
    """All recipes by name."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return RECIPES


__all__ = ["RECIPES", "Lab", "Recipe", "load", "recipe"]
