"""What the folder of compiled code puts up with: damage, upgrades, several processes, no home, an end in the middle."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from analyzer.compiled import cache, making

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT / "captures" / "late-fin-answered-by-rst.pcapng"
SMALL = "analyzer.segments.kernels.addresses.fill_slots"  # quickly compiled
PROGRAM = """import sys
from analyzer.cli import guarded
status = guarded(sys.argv[1:])
print('numba' in sys.modules)
sys.exit(status)
"""


def command(**environment: Any) -> dict[str, Any]:
    """What to give to subprocess for an analysis; it prints a summary, and whether numba was imported."""
    changed = {name: str(value) for name, value in environment.items()}
    return {
        "args": [sys.executable, "-c", PROGRAM, "analyze", str(CAPTURE)],
        "env": {**os.environ, "PYTHONPATH": str(ROOT), **changed},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "cwd": "/",
    }


def analysed(**environment: Any) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(**command(**environment), check=False)
    assert done.returncode == 0, done.stderr
    assert "1 connection" in done.stdout
    return done


def by_objects(done: "subprocess.CompletedProcess[str]") -> bool:
    return done.stdout.endswith("False\n")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A cache of its own in which everything is compiled."""
    filled = cache.folder()
    copy = tmp_path / "home" / "teardown" / filled.name
    copy.mkdir(mode=0o700, parents=True)
    for kept in filled.glob("*.o"):
        shutil.copy(kept, copy)
    return tmp_path / "home"


def small(home: Path) -> Path:
    """Where the object of the small kernel is kept."""
    (found,) = (path for path in home.rglob("*.o") if path.name == cache.place(SMALL, SMALL.rpartition(".")[0]).name)
    return found


def test_once_compiled_numba_is_not_needed(home: Path) -> None:
    done = analysed(XDG_CACHE_HOME=home)
    assert by_objects(done)
    assert done.stderr == ""


def test_a_missing_object_is_made_by_another_process(home: Path) -> None:
    place = small(home)
    place.unlink()
    done = analysed(XDG_CACHE_HOME=home)
    assert by_objects(done)
    assert done.stderr == making.LINE + "\n"
    assert cache.read(place) is not None


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:7], lambda data: data[:-9] + bytes(9)])
def test_a_damaged_object_is_made_anew(home: Path, damage: Any) -> None:
    place = small(home)
    place.write_bytes(damage(place.read_bytes()))
    assert cache.read(place) is None
    assert by_objects(analysed(XDG_CACHE_HOME=home))
    assert cache.read(place) is not None


def test_what_cannot_become_an_object_is_not_tried_again(home: Path) -> None:
    place = small(home)
    cache.write(place, b"xUnemittable: it needs something")
    done = analysed(XDG_CACHE_HOME=home, TEARDOWN_DEBUG=1)
    assert not by_objects(done)
    assert done.stderr == f"{SMALL} is compiled in this process: Unemittable: it needs something\n"


def test_what_nobody_has_used_for_a_month_is_removed(home: Path) -> None:
    used, filled = small(home), small(home).parent
    unused = filled / "gone-0123456789abcdef.o"
    older = filled.with_name("0123456789abcdef")
    others = filled.with_name("somebody-else")
    for place in (older, others):
        place.mkdir(mode=0o700)
        (place / "old.o").write_bytes(b"object")
    unused.write_bytes(b"object")
    month = time.time() - cache.UNUSED - 3600
    for file in (unused, used, older / "old.o", others / "old.o"):
        os.utime(file, (month, month))
    analysed(XDG_CACHE_HOME=home)  # it uses what is there and compiles nothing
    assert unused.exists()
    assert used.stat().st_mtime > month + cache.UNUSED / 2
    used.unlink()
    assert by_objects(analysed(XDG_CACHE_HOME=home))
    assert used.exists()
    assert (others / "old.o").exists()
    assert not unused.exists()
    assert not older.exists()


def test_several_at_once(home: Path) -> None:
    small(home).unlink()
    running = [subprocess.Popen(**command(XDG_CACHE_HOME=home)) for _ in range(3)]
    outputs = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(set(outputs)) == 1
    assert outputs[0].endswith("False\n")
    assert not list(home.rglob("*.part"))


def test_no_home(home: Path, tmp_path: Path) -> None:
    """Where the user's cache cannot be written to, a private folder among the temporary files is used."""
    (kept,) = (home / "teardown").iterdir()
    kept.rename(tmp_path / f"teardown-{os.getuid()}-{kept.name}")
    done = analysed(XDG_CACHE_HOME="/dev/null/none", TMPDIR=tmp_path)
    assert by_objects(done)
    assert done.stderr == ""


def test_a_folder_of_others_is_not_used(home: Path, tmp_path: Path) -> None:
    (kept,) = (home / "teardown").iterdir()
    assert cache._usable(kept)
    kept.chmod(0o770)
    assert not cache._usable(kept)
    kept.chmod(0o700)
    (tmp_path / "link").symlink_to(kept)
    assert not cache._usable(tmp_path / "link")
    assert not cache._usable(kept / next(kept.iterdir()).name)
    if os.getuid() == 0:
        os.chown(kept, 1, 1)
        assert not cache._usable(kept)


def test_another_version_is_compiled_anew(home: Path, tmp_path: Path) -> None:
    """Only what a change can reach: the module of the kernel, and whatever imports what was changed."""
    copy = tmp_path / "other"
    shutil.copytree(ROOT / "analyzer", copy / "analyzer", ignore=shutil.ignore_patterns("__pycache__"))
    source = copy / "analyzer" / "reports" / "text.py"  # no kernel imports this one
    source.write_text(source.read_text() + "\n# another version\n")
    assert analysed(XDG_CACHE_HOME=home, PYTHONPATH=copy).stderr == ""
    source = copy / "analyzer" / "flows" / "kernels.py"
    source.write_text(source.read_text().replace("TUPLES, STREAMS = 0, 1, 2", "TUPLES, STREAMS = 1, 0, 2"))
    before = {path.name for path in home.rglob("*.o")}
    done = analysed(XDG_CACHE_HOME=home, PYTHONPATH=copy)
    assert by_objects(done)
    assert done.stderr == making.LINE + "\n"
    after = {path.name for path in home.rglob("*.o")}
    assert {name.partition("-")[0].rpartition(".")[0] for name in after - before} == {"analyzer.flows.kernels"}


def children(pid: int) -> list[int]:
    try:
        tasks = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
    return [int(child) for text in tasks for child in text.split()]


def over(pid: int) -> bool:
    """Whether the process has ended, though nobody may have asked for its status yet."""
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


def begun(home: Path, **how: Any) -> "subprocess.Popen[str]":
    """An analysis that has something to compile, at the moment when that has begun."""
    small(home).unlink()
    process = subprocess.Popen(**command(XDG_CACHE_HOME=home), **how)
    assert process.stderr is not None
    assert process.stderr.readline() == making.LINE + "\n"
    while not children(process.pid):
        assert process.poll() is None
    return process


def test_the_compiling_processes_are_killed(home: Path) -> None:
    """Then numba compiles in this process, and the next run tries again."""
    process = begun(home)
    while process.poll() is None:
        for child in children(process.pid):
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    said, complaint = process.communicate()
    assert (process.returncode, complaint) == (0, "")
    assert "1 connection" in said
    assert said.endswith("True\n")
    assert by_objects(analysed(XDG_CACHE_HOME=home))


def test_interrupted(home: Path) -> None:
    """Control-C goes to all of them; the next run compiles."""
    process = begun(home, start_new_session=True)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, complaint = process.communicate()
    assert (process.returncode, complaint) == (130, "teardown: interrupted\n")
    assert all(map(over, workers))
    assert by_objects(analysed(XDG_CACHE_HOME=home))


def test_workers_end_with_the_program(home: Path) -> None:
    process = begun(home)
    workers = children(process.pid)
    process.kill()
    process.communicate()
    for _ in range(500):
        if all(map(over, workers)):
            break
        time.sleep(0.01)
    assert all(map(over, workers))
    assert by_objects(analysed(XDG_CACHE_HOME=home))
