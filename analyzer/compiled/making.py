"""Everything compiled, by processes that do nothing else.

Each takes one module of kernels after the other, those with most to compile first; a lock tells the others, be they
started by this program or by another one on the same cache, that it is being done. They end with the program that
started them: it holds the other end of their standard input.
"""

import fcntl
import gc
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from subprocess import DEVNULL, PIPE

from analyzer.compiled import cache
from analyzer.compiled.marks import Kernel

MOST = 4  # processes
LINE = "compiling for this machine; this happens once and takes about ten seconds"
PROGRAM = "import sys; sys.path[:] = {path!r}; from analyzer.compiled.making import work; work({folder!r})"
KERNEL, MARKED = re.compile(r"^@kernel\(", re.MULTILINE), re.compile(r"^@(kernel|part|inlined)\b", re.MULTILINE)


def make_all(folder: Path) -> str:
    """Compile all kernels that are not yet in ``folder``; what went wrong, or nothing."""
    program = PROGRAM.format(path=sys.path, folder=str(folder))
    workers: list[subprocess.Popen[str]] = []
    try:
        for _ in range(min(MOST, processors())):
            workers.append(_started(program))
        said = [_outcome(worker) for worker in workers]
        cache.tidy()
        return "\n".join(filter(None, said))
    except OSError as error:
        return str(error)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def _started(program: str) -> "subprocess.Popen[str]":
    """A Python that runs ``program``; of the folder it is started in it imports nothing."""
    command = [sys.executable, "-P", "-c", program]
    return subprocess.Popen(command, stdin=PIPE, stdout=DEVNULL, stderr=PIPE, text=True, errors="replace")


def processors() -> int:
    """How many of them this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _outcome(worker: "subprocess.Popen[str]") -> str:
    """What a worker that has ended complains of."""
    assert worker.stderr is not None
    said, status = worker.stderr.read().strip(), worker.wait()
    return said or f"a process that compiles ended with status {status}" if status else ""


def work(folder: str) -> None:
    """Compile what is missing; this is all that such a process does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()  # it lives for seconds, and searching its many objects for cycles would take a tenth of them
    at = Path(folder)
    later = [name for name in kernel_modules() if not _make_module(name, at, wait=False)]
    for name in later:
        _make_module(name, at, wait=True)


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def kernel_modules() -> list[str]:
    """The modules in which kernels stand, by what is to be compiled in their folder, most first."""
    parts: Counter[Path] = Counter()
    found = []
    for source in sorted(cache.PACKAGE.rglob("*.py")):
        text = source.read_text("utf8")
        parts[source.parent] += len(MARKED.findall(text))
        if KERNEL.search(text):
            found.append(source)
    found.sort(key=lambda source: -parts[source.parent])
    return [".".join(("analyzer", *source.relative_to(cache.PACKAGE).with_suffix("").parts)) for source in found]


def kernels_of(module: str) -> list[Kernel]:
    """The kernels of a module that are compiled beforehand."""
    kernels = [value for value in vars(import_module(module)).values() if isinstance(value, Kernel)]
    return [kernel for kernel in kernels if kernel.arguments is not None and kernel.module == module]


def _make_module(name: str, folder: Path, wait: bool) -> bool:
    """Make sure that the kernels of a module are kept; False if another process is at it."""
    with _claimed(folder / f"{name}.lock", wait) as ours:
        if ours:
            for kernel in kernels_of(name):
                if cache.read(kernel.kept) is None:
                    cache.write(kernel.kept, _code(kernel))
        return ours


def _code(kernel: Kernel) -> bytes:
    """What is kept of a kernel: its code, or why there can be none, so that nobody tries again."""
    from analyzer.compiled.emitting import emitter
    from analyzer.compiled.loading import address

    try:
        made = emitter().emit(kernel)
    except (MemoryError, OSError):
        raise
    except Exception as error:
        return b"x" + f"{type(error).__name__}: {error}".encode()
    address(kernel.name, made[1:])  # if it asks for what no process has, LLVM ends this one, not the program
    return made


@contextmanager
def _claimed(lock: Path, wait: bool) -> Iterator[bool]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = True
        except BlockingIOError:
            ours = False
        except OSError:  # a file system without locks: then two may do the same
            ours = True
        yield ours
