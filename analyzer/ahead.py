"""One step ahead: a second thread makes the next item while the caller works on this one.

Worth it where both spend their time in kernels, which hold no lock of the interpreter. The thread is a daemon: a
read that waits on a pipe never keeps the program from ending.
"""

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], most: int = 1) -> Iterator[T]:
    """``items`` in their order, at most so many of them made beforehand; an error of theirs is raised where it belongs.

    An item belongs to the caller until it asks for the next: who makes items in memory that is used in turn needs
    ``most + 1`` places.
    """
    made: SimpleQueue[tuple[bool, T | BaseException | None]] = SimpleQueue()
    wanted = Semaphore(most)
    stopped = False

    def work() -> None:
        try:
            while wanted.acquire() and not stopped:
                made.put((True, next(items)))
        except StopIteration:
            made.put((False, None))
        except BaseException as error:
            made.put((False, error))

    Thread(target=work, name="read and decode", daemon=True).start()
    try:
        while True:
            more, item = made.get()
            if not more:
                if item is not None:
                    raise item  # type: ignore[misc]
                return
            wanted.release()
            yield item  # type: ignore[misc]
    finally:
        stopped = True
        wanted.release()
