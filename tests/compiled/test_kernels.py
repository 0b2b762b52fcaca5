"""Kernels as Python calls them: what they are given is checked, and what cannot become an object runs all the same."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer.compiled import loading
from analyzer.compiled.making import kernel_modules, kernels_of
from analyzer.compiled.marks import Kernel
from analyzer.flows import kernels

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


def test_where_objects_cannot_be_loaded_numba_compiles_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "fields", lambda: (24, 40))  # as if arrays looked different in memory
    monkeypatch.setattr(loading, "_loader", loading.Loader())
    again, new = Kernel(kernels.rehash.function, ()), entries(0, 0, 0, 0)
    again.arguments = kernels.rehash.arguments
    again(entries(4), new)
    assert sorted(new["state"]) == [0, 0, 0, 4]
    assert type(again._call).__module__.startswith("numba")


EMITTED = """
import math
import numpy as np
from analyzer.compiled import be64, const, kernel, part
from analyzer.compiled.emitting import emitter
from analyzer.compiled.loading import RESULTS, address, caller

@part
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

@kernel(int)
def pair(x):
    return x, x

@kernel(int)
def allocates(x):
    return len(np.zeros(x))

@kernel(int)
def outside(x):
    return int(math.gamma(x))

bytes_ = np.arange(250, 266).astype(np.uint8)
print(be64(bytes_, 3), be64(bytes_, 8))
calls = (number, (4, np.array([0, 9], np.int32))), (truth, (4,)), (nothing, (np.ones(5, np.uint16),))
for each, values in (*calls, (word, (bytes_, 3)), (word, (bytes_, 8))):
    made = emitter().emit(each)
    print(repr(caller(each, address(each.name, made[1:]), RESULTS[made[:1]])(*values)), values[0])
for each in (pair, allocates, outside):
    try:
        emitter().emit(each)
    except Exception as error:
        print(type(error).__name__, str(error).splitlines()[0])
"""


BYTES = "[250 251 252 253 254 255   0   1   2   3   4   5   6   7   8   9]"


def test_objects_and_what_can_be_none() -> None:
    done = subprocess.run([sys.executable, "-c", EMITTED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "-144397762547285244 144964032628459529",
        "-1 4",
        "True 4",
        "None [5 1 1 1 1]",
        f"-144397762547285244 {BYTES}",
        f"144964032628459529 {BYTES}",
        "Unemittable __main__.pair returns UniTuple(int64 x 2)",
        "TypingError Failed in nopython mode pipeline (step: nopython frontend)",
        "Unemittable __main__.outside needs numba_gamma",
    ]
