"""Background threads, for work beside the caller's own.

    prefetched         a thread makes the next items while the caller uses the last one
    computed_in_order  calls made one after the other, by a thread or by the caller, whichever has time
    BackgroundWorker   a thread works on what the caller submits, in that order
    BackgroundTask     a thread does one task whenever the caller asks for it

Worth it where both threads spend their time in kernels, which release the interpreter's lock. The threads are daemons:
a read that waits on a pipe never keeps the program from ending.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue
from threading import Condition, Lock, Semaphore, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
IDLE_S = 0.1  # a worker's thread ends after so long without work: starting one takes time
JOIN_S = 0.2  # the caller that wants no more items waits so long for the thread, which may be opening what it closes


def prefetched(items: Iterator[T], most: int = 1) -> Iterator[T]:
    """``items`` in their order; a thread makes up to ``most`` of them before the caller asks. An error is raised after
    the items made before it.

    An item belongs to the caller until it asks for the next one, so items in reused memory need ``most + 1`` buffers.
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

    thread = Thread(target=work, name="prefetch", daemon=True)
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
        thread.join(JOIN_S)


class PendingCall(Generic[T]):
    """A call that is made once, by whichever thread comes to it first."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call: Callable[[], T] | None = call
        self._made: list[T] = []
        self._error: BaseException | None = None

    @property
    def pending(self) -> bool:
        """Whether no thread has made it yet."""
        return self._call is not None

    def make(self) -> None:
        """Make the call."""
        assert self._call is not None
        try:
            self._made.append(self._call())
        except BaseException as error:
            self._error = error
        self._call = None

    def take(self) -> T:
        """The result, once; raises the error of the call."""
        if self._error is not None:
            raise self._error
        return self._made.pop()


def computed_in_order(calls: Iterator[Callable[[], T]], most: int, backlog: int) -> Iterator[T]:
    """The results of ``calls``, which are made in their order and never two at a time.

    A thread takes up to ``most`` calls from the iterator in advance. While more than ``backlog`` of them are pending it
    makes the first one itself; otherwise the caller makes them. So the two share the work as they have time.
    """
    waiting: deque[PendingCall[T]] = deque()
    one_at_a_time = Lock()

    def make_first() -> None:
        with one_at_a_time:
            if waiting:
                waiting.popleft().make()

    def ready() -> Iterator[PendingCall[T]]:
        for call in calls:
            pending = PendingCall(call)
            waiting.append(pending)
            while len(waiting) > backlog:
                make_first()
            yield pending

    for pending in prefetched(ready(), most):
        while pending.pending:
            make_first()
        yield pending.take()


class BackgroundWorker(Generic[T]):
    """A thread that does ``work`` on each submitted item, in their order, while the caller makes the next one.

    The thread ends by itself once nothing is left to do, so what was submitted is finished even if nobody waits.
    """

    def __init__(self, work: Callable[[T], None], most: int) -> None:
        self._work = work
        self._unfinished: deque[T] = deque()  # the first one is being worked on
        self._changed = Condition()
        self._most = most
        self._running = False  # whether the thread is there
        self._error: BaseException | None = None

    def submit(self, item: T) -> None:
        """Hand over an item; waits while ``most`` are unfinished, and raises the error of an earlier one."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._unfinished) < self._most)
            self._raise()
            self._unfinished.append(item)
            self._changed.notify_all()
            if not self._running:
                self._running = True
                Thread(target=self._run, name="worker", daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether something is unfinished."""
        return bool(self._unfinished)

    def wait(self) -> None:
        """Wait until all items are done; raises the first error."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unfinished)
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while self._more():
            try:
                if self._error is None:
                    self._work(self._unfinished[0])
            except BaseException as error:
                self._error = error
            with self._changed:
                self._unfinished.popleft()
                self._changed.notify_all()

    def _more(self) -> bool:
        """Whether there is something to do now, or within IDLE_S."""
        with self._changed:
            self._running = self._changed.wait_for(lambda: bool(self._unfinished), IDLE_S)
            return self._running


class BackgroundTask:
    """A task that a thread does whenever it is requested, once at a time."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._worker: BackgroundWorker[None] = BackgroundWorker(lambda _: work(), 1)

    def request(self) -> None:
        """Have it done, unless it is being done. Raises the error of an earlier time."""
        if not self._worker.busy:
            self._worker.submit(None)
