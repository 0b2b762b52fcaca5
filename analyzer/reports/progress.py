"""A progress bar on standard error: only on a terminal, and only once a reading has taken a second."""

import sys
import time
from types import TracebackType
from typing import Self

PATIENCE = 1.0  # seconds before anything is shown


class ProgressBar:
    """Call it with (bytes done, bytes in all or None); use it as a context so that it is removed again."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._shown = sys.stderr.isatty()
        self._bar: object | None = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int | None) -> None:
        if self._shown and time.monotonic() - self._started >= PATIENCE:
            self._show(done, total)

    def _show(self, done: int, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

        if not isinstance(self._bar, Progress):
            columns = ("reading", BarColumn(), DownloadColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("", total=total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from rich.progress import Progress

        if isinstance(self._bar, Progress):
            self._bar.stop()
