"""Kernels as Python calls them: what they are given is checked, and what cannot become an object is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer.flows import kernels
from analyzer.kernels.build import kernels_of
from analyzer.kernels.sources import kernel_modules

ROOT = Path(__file__).parents[2]


def entries(*states: int) -> Any:
    rows = np.zeros(len(states), kernels.ENTRY)
    rows["state"] = states
    return rows


def test_rehash() -> None:
    new = entries(0, 0, 0, 0)
    assert kernels.rehash(entries(4), new) is None
    assert sorted(new["state"]) == [0, 0, 0, 4]


READ_ONLY = entries(0)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    "new, says",
    [
        (np.zeros(4, np.int64), "writable contiguous array"),
        (entries(0, 0, 0, 0)[::2], "writable contiguous array"),
        (entries(0, 0, 0, 0).reshape(2, 2), "2-dimensional"),
        (READ_ONLY, "writable contiguous array"),
        (np.zeros(4, "<i8,<i8"), "writable contiguous array"),
        ([1, 2], "not a list"),
        (None, "not a NoneType"),
    ],
)
def test_what_does_not_fit_is_refused(new: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        kernels.rehash(READ_ONLY, new)


def test_the_number_of_arguments() -> None:
    with pytest.raises(TypeError, match="takes 2 arguments, not 1"):
        kernels.rehash(READ_ONLY)


def test_unaligned_numbers_are_refused() -> None:
    odd = np.frombuffer(bytes(25), np.uint8)[1:].view(np.int64)
    assert odd.ctypes.data % 8
    with pytest.raises(TypeError):
        kernels.mix(odd, 1, 2)


def test_all_modules_of_kernels_are_found() -> None:
    declared = {kernel.name for module in kernel_modules() for kernel in kernels_of(module)}
    assert {kernels.assign.name, kernels.rehash.name, kernels.reach.name} <= declared
    assert all(name.startswith("analyzer.") for name in declared)


EMITTED = """
import ctypes
import math
import sys
from pathlib import Path
import numpy as np
from analyzer.kernels import be64, const, kernel, helper
from analyzer.kernels.emit import Emitter
from analyzer.kernels.link import TARGETS, here, link
from analyzer.kernels.load import RESULTS, caller

WORDS = np.array([3, 1, 4, 1, 5, 9, 2, 6], np.int64)

@helper
def twice(x):
    return 2 * x

@kernel(int, const(np.int32))
def number(x, y):
    return twice(x) - y[1]

@kernel(int)
def truth(x):
    return x > 3

@kernel(const(np.uint8), int)
def word(x, at):
    return be64(x, at)

@kernel(np.uint16)
def nothing(x):
    x[0] = len(x)

@kernel(const(np.int64), np.int64, int)
def outside(x, out, which):  # needs a constant array, and functions of the C library
    for place in range(len(out)):
        out[place] = 0
    for place in range(len(x)):
        out[place] = x[place]
    return out[which] + WORDS[which & 7]

@kernel(int)
def pair(x):
    return x, x

@kernel(int)
def allocates(x):
    return len(np.zeros(x))

@kernel(int)
def missing(x):
    return int(math.gamma(x))

folder, emitter = Path(sys.argv[1]), Emitter(TARGETS[here()])
bytes_ = np.arange(250, 266).astype(np.uint8)
print(be64(bytes_, 3), be64(bytes_, 8))
calls = (
    (number, (4, np.array([0, 9], np.int32))), (truth, (4,)), (nothing, (np.ones(5, np.uint16),)),
    (word, (bytes_, 3)), (word, (bytes_, 8)), (outside, (np.arange(9), np.ones(2000, np.int64), 5)),
)
kernels = {each.name: each for each, _ in calls}.values()
made = {each.name: emitter.emit(each) for each in kernels}
objects = [folder / f"{name}.o" for name in made]
for path, emitted in zip(objects, made.values()):
    path.write_bytes(emitted.code)
link(here(), objects, [each.symbol for each in kernels], folder / "library.so")
library = ctypes.CDLL(str(folder / "library.so"))
for each, values in calls:
    print(repr(caller(each, library[each.symbol], RESULTS[made[each.name].result])(*values)), values[0])
for each in (pair, allocates, missing):
    try:
        emitter.emit(each)
    except Exception as error:
        print(type(error).__name__, str(error).splitlines()[0])
"""


BYTES = "[250 251 252 253 254 255   0   1   2   3   4   5   6   7   8   9]"


def test_objects_and_what_can_be_none(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EMITTED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "-144397762547285244 144964032628459529",
        "-1 4",
        "True 4",
        "None [5 1 1 1 1]",
        f"-144397762547285244 {BYTES}",
        f"144964032628459529 {BYTES}",
        "14 [0 1 2 3 4 5 6 7 8]",
        "Unemittable __main__.pair returns UniTuple(int64 x 2)",
        "TypingError Failed in nopython mode pipeline (step: nopython frontend)",
        "Unemittable __main__.missing needs numba_gamma",
    ]
