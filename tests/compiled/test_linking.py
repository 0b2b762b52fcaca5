"""Images of objects: they do what the objects do when LLVM loads them, and there are none of what is not understood."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer.compiled import cache, images, linking
from analyzer.compiled.images import IMAGE, OBJECT, Image
from analyzer.compiled.linking import HEADER, RELOCATION, SECTION, Unlinkable, linked, loadable
from analyzer.compiled.loading import RESULTS, address, caller
from analyzer.compiled.making import kernel_modules, kernels_of
from analyzer.compiled.marks import Kernel, const

LINUX = sys.platform == "linux" and os.uname().machine == "x86_64"
pytestmark = pytest.mark.skipif(not LINUX, reason="images are made of objects for x86-64 under Linux")
ROOT = Path(__file__).parents[2]
WORDS = np.array([3, 1, 4, 1, 5, 9, 2, 6], np.int64)
EMIT = """
import sys
from analyzer.compiled import emitting
from tests.compiled.test_linking import KERNEL
emitting.loadable = lambda code, entry: code
sys.stdout.buffer.write(emitting.emitter().emit(KERNEL))
"""


def worked(values: Any, out: Any, which: int) -> int:
    """It needs all that an image can need: constants, a table of places to jump to, and a function from outside."""
    out[:] = 0
    if which == 0:
        out[0] = values[1]
    elif which == 1:
        out[1] = values[0] * 3
    elif which == 2:
        out[2] = WORDS[values[0] & 7]
    elif which == 3:
        out[3] = values[0] % 7
    elif which == 4:
        out[4] = 5
    for place in range(len(out)):
        out[place] += WORDS[(place + which) & 7]
    return int(out.sum())


KERNEL = Kernel(worked, (const(np.int64), np.int64, int))


@pytest.fixture(scope="module")
def code() -> bytes:
    """An object of KERNEL, made by a process of its own."""
    done = subprocess.run([sys.executable, "-c", EMIT], cwd=ROOT, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout[1:]


def changed(code: bytes, row: np.dtype[Any], at: int, **fields: int) -> bytes:
    """The object with another number here and there in the row of a table."""
    copy = bytearray(code)
    entry = np.frombuffer(copy, row, 1, at)[0:1]
    for name, value in fields.items():
        entry[name] = value
    return bytes(copy)


def sections(code: bytes) -> Any:
    header = np.frombuffer(code, HEADER, 1)[0]
    return header, np.frombuffer(code, SECTION, int(header["shnum"]), int(header["shoff"]))


def section(code: bytes, chosen: Callable[[Any], bool]) -> tuple[int, Any]:
    """Where in the object a section's row stands, and the row."""
    header, rows = sections(code)
    number = next(number for number, row in enumerate(rows) if chosen(row))
    return int(header["shoff"]) + number * SECTION.itemsize, rows[number]


@pytest.mark.parametrize("which", range(6))
def test_images_do_what_objects_do(code: bytes, which: int) -> None:
    image = Image.unpacked(linked(code, KERNEL.name).packed())
    assert image.own.size
    assert any(map(len, image.outside))
    values, seen = np.array([9, 8], np.int64), []
    for function in (image.placed(), image.placed(), address(KERNEL.name, OBJECT + code)):
        out = np.ones(2000, np.int64)
        result = caller(KERNEL, function, RESULTS[b"i"])(values, out, which)
        seen.append((result, out.tolist()))
    expected = np.ones(2000, np.int64)
    assert seen == [(worked(values, expected, which), expected.tolist())] * 3


def test_an_image_of_hardly_anything() -> None:
    image = Image.unpacked(
        Image(b"\x31\xc0\xc3".ljust(8, b"\0"), 0, np.zeros(0, np.uint32), [np.zeros(0, np.uint32)] * 4).packed()
    )
    assert image.placed() % 4096 == 0


def test_all_kernels_have_images() -> None:
    kept = {kernel.name: cache.read(kernel.kept) for module in kernel_modules() for kernel in kernels_of(module)}
    assert {name for name, data in kept.items() if data is None or data[1:2] != IMAGE} == set()


def test_what_is_no_object_of_this_kind() -> None:
    for other in (b"", b"\x7fELF", b"\xcf\xfa\xed\xfe" + bytes(100)):
        with pytest.raises(Unlinkable, match="not for x86-64"):
            linked(other, "any")
        assert loadable(other, "any") == OBJECT + other


def test_what_an_image_cannot_hold(code: bytes) -> None:
    writable, _ = section(code, lambda row: row["flags"] & linking.ALLOC and row["size"])
    at, row = section(code, lambda row: row["type"] == linking.RELA)
    whole = RELOCATION, int(row["offset"])
    for refused, says in (
        (changed(code, HEADER, 0, machine=183), "not for x86-64"),
        (changed(code, SECTION, writable, flags=linking.ALLOC | linking.WRITE), "memory of its own"),
        (changed(code, SECTION, writable, type=8), "memory of its own"),
        (changed(code, SECTION, at, type=linking.REL), "not whole"),
        (changed(code, *whole, type=2), "not whole"),
        (changed(code, *whole, sym=0), "not among what is there"),
        (changed(code, *whole, sym=1), "not among what is there"),
        (code.replace(b"memset", b"malloc"), "it needs malloc"),
    ):
        with pytest.raises(Unlinkable, match=says):
            linked(refused, KERNEL.name)


def test_memory_that_must_not_be_executed(code: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "EXECUTABLE", 1 << 30)  # no such right: refused, as by a hardened system
    with pytest.raises(OSError, match="executable"):
        linked(code, KERNEL.name).placed()
