"""Work that takes long, done by threads so that the screen answers at once.

Of each kind of work only the newest matters: what was asked for before it is not begun, or what it made not shown.
"""

import threading
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from textual.app import App

from analyzer.errors import TeardownError

T = TypeVar("T")
Tell = Callable[[], None]


class NewestOnly:
    """Has work done for ``app``, which ends where that is no error of the user's: ``fault`` is what happened then."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._newest: dict[str, object] = {}
        self._one_at_a_time: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.unfinished = 0  # works whose outcome is not shown yet
        self.fault: Exception | None = None

    def do(self, kind: str, work: Callable[[], T], show: Callable[[T], None], fail: Callable[[str], None]) -> None:
        """Have a thread do ``work``, and then the screen ``show`` what it made, or ``fail`` with what it says."""
        token = self._newest[kind] = object()
        self.unfinished += 1

        def run() -> None:
            with self._one_at_a_time[kind]:
                tell = self._outcome(work, show, fail) if self._newest[kind] is token else _nothing
            self._app.call_later(self._end, kind, token, tell)

        self._app.run_worker(run, thread=True, group=kind)

    def _outcome(self, work: Callable[[], T], show: Callable[[T], None], fail: Callable[[str], None]) -> Tell:
        """Do it; returns what the screen is to do then."""
        try:
            return partial(show, work())
        except TeardownError as error:
            return partial(fail, str(error))
        except Exception as error:
            self.fault = error
            return self._app.exit

    def _end(self, kind: str, token: object, tell: Tell) -> None:
        self.unfinished -= 1
        if self._newest[kind] is token:
            tell()


def _nothing() -> None:
    """What was asked for is no longer wanted."""
