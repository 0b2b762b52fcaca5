"""One step ahead, one behind, and beside: other threads make the next item, use the last, or do what is asked for now
and then, while the caller works; and of work that is done in turn, whoever has time does the next.

Worth it where both spend their time in kernels, which hold no lock of the interpreter. The threads are daemons: a
read that waits on a pipe never keeps the program from ending.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue
from threading import Condition, Lock, Semaphore, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
LINGER = 0.1  # seconds for which a thread waits for more to do: who starts one waits for its first turn
PATIENCE = 0.2  # seconds for which who wants no more waits for what is just being made, lest that opens what he closes


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
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = Thread(target=work, name="ahead", daemon=True)
    thread.start()
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
        thread.join(PATIENCE)


class Turn(Generic[T]):
    """A call that waits for its turn."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call: Callable[[], T] | None = call
        self._made: list[T] = []
        self._error: BaseException | None = None

    @property
    def waits(self) -> bool:
        """Whether nobody has made it yet."""
        return self._call is not None

    def make(self) -> None:
        """Make it, for the first time."""
        assert self._call is not None
        try:
            self._made.append(self._call())
        except BaseException as error:
            self._error = error
        self._call = None

    def take(self) -> T:
        """What it gave, once; or its error."""
        if self._error is not None:
            raise self._error
        return self._made.pop()


def in_turn(calls: Iterator[Callable[[], T]], most: int, patience: int) -> Iterator[T]:
    """What ``calls`` give, made one after the other in their order, and never two at a time.

    Another thread has at most so many of them ready beforehand; where more than ``patience`` wait, it makes the first
    of these itself, and otherwise the caller does. So the two share the work as they have time.
    """
    waiting: deque[Turn[T]] = deque()
    one_at_a_time = Lock()

    def make_first() -> None:
        with one_at_a_time:
            if waiting:
                waiting.popleft().make()

    def ready() -> Iterator[Turn[T]]:
        for call in calls:
            turn = Turn(call)
            waiting.append(turn)
            while len(waiting) > patience:
                make_first()
            yield turn

    for turn in ahead(ready(), most):
        while turn.waits:
            make_first()
        yield turn.take()


class Behind(Generic[T]):
    """One step behind: a second thread does ``work`` on each item, in their order, while the caller makes the next.

    The thread ends soon after nothing is left to do: what was given is finished also where nobody waits for it.
    """

    def __init__(self, work: Callable[[T], None], most: int) -> None:
        self._work = work
        self._given: deque[T] = deque()  # what is not finished, that which is worked on first
        self._changed = Condition()
        self._most = most
        self._working = False  # whether the thread is there
        self._error: BaseException | None = None

    def give(self, item: T) -> None:
        """Hand over an item; waits while ``most`` are unfinished, and raises the error of one before."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._given) < self._most)
            self._raise()
            self._given.append(item)
            self._changed.notify_all()
            if not self._working:
                self._working = True
                Thread(target=self._run, name="behind", daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether something is unfinished."""
        return bool(self._given)

    def finish(self) -> None:
        """Wait until all is done; raises the first error."""
        with self._changed:
            self._changed.wait_for(lambda: not self._given)
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while self._more():
            try:
                if self._error is None:
                    self._work(self._given[0])
            except BaseException as error:
                self._error = error
            with self._changed:
                self._given.popleft()
                self._changed.notify_all()

    def _more(self) -> bool:
        """Whether there is something to do, now or before long."""
        with self._changed:
            self._working = self._changed.wait_for(lambda: bool(self._given), LINGER)
            return self._working


class Beside:
    """Something to be done now and then beside all else, once at a time."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._behind: Behind[None] = Behind(lambda _: work(), 1)

    def ask(self) -> None:
        """Have it done; nothing where it is being done. Raises the error of one before."""
        if not self._behind.busy:
            self._behind.give(None)
