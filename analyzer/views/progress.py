"""A progress bar on standard error: only on a terminal, and only once a reading or writing has taken a second."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 1.0  # seconds before anything is shown


class ProgressBar:
    """Call it with (how much is done, how much in all or None), in bytes unless ``unit`` says otherwise; use it as a
    context so that it is removed again. ``what`` is being done."""

    def __init__(self, what: str = "reading", unit: str = "bytes", shown: bool = True) -> None:
        self._what, self._unit = what, unit
        self._started = time.monotonic()
        self._shown = shown and sys.stderr.isatty()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int | None) -> None:
        if self._shown and time.monotonic() - self._started >= PATIENCE:
            self._show(done, total)

    def _show(self, done: int, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        if self._bar is None:
            in_bytes = self._unit == "bytes"
            amount = (DownloadColumn(),) if in_bytes else (MofNCompleteColumn(), self._unit)
            columns = (self._what, BarColumn(), *amount, TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("", total=total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
