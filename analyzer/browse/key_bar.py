"""The keys that work here, at the bottom: as many as there is room for, and none cut in two."""

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Static

from analyzer.browse.keys import KEYS, KeyMeaning

GAP = "  "


class KeyBar(Static):
    """The labels of some actions of ``keys``, all where none are named."""

    def __init__(self, actions: Sequence[str] = (), more_classes: str = "", keys: Sequence[KeyMeaning] = KEYS) -> None:
        super().__init__("", markup=False, classes=f"keys {more_classes}")
        self._keys = [
            key for key in keys if key.rank and (not actions or key.action in actions or key.label in actions)
        ]

        self._useless: tuple[str, ...] = ()

    def on_resize(self) -> None:
        self.update(self.bar(self.size.width))

    def without(self, *actions: str) -> None:
        """Leave out what would do nothing now."""
        if actions != self._useless:
            self._useless = actions
            self.on_resize()

    def bar(self, width: int) -> Text:
        """The bar in so many columns."""
        shown = [key for key in self._keys if key.action not in self._useless]
        while shown and sum(len(_said(key)) for key in shown) + len(GAP) * len(shown) - 1 > width:
            shown.remove(max(shown, key=lambda key: key.rank))
        text = Text(" ", no_wrap=True)
        for place, key in enumerate(shown):
            text.append(GAP if place else "").append(key.shown, "bold").append(f" {key.label}", "grey70")
        return text


def _said(key: KeyMeaning) -> str:
    return f"{key.shown} {key.label}"
