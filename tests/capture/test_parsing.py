"""The compiled parsers against their slow twins, whole, piece by piece, cut anywhere, and damaged anywhere."""

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.capture.formats import ENOUGH
from analyzer.errors import TeardownError
from tests.capture import naive
from tests.capture.build import EPOCH, clock, enhanced, interface, notes, old, pcap, read, section, simple
from tests.capture.samples import captures, pcapngs, pcaps

slow_at_first = settings(deadline=None)  # the first call compiles

PACKETS = [(EPOCH + number, number * 1000, bytes([170 + number]) * (40 + number)) for number in range(5)]
SMALL_PCAP = pcap(PACKETS)
SMALL_PCAPNG = b"".join(
    [
        section(),
        interface(options=clock(9, 5, "eth0")),
        enhanced(EPOCH * 10**9 + 1, b"first"),
        section(">"),
        interface(">", 113),
        old(EPOCH * 10**6, b"second one", order=">"),
        simple(b"third", order=">"),
        enhanced(EPOCH * 10**6 + 7, b"fourth", order=">"),
    ]
)


def twin(data: bytes) -> tuple[list[tuple[int, int, int, int, int, bytes]], str]:
    return naive.pcapng(data) if data.startswith(b"\x0a\x0d\x0d\x0a") else naive.pcap(data)


@slow_at_first
@given(pcaps)
def test_records_like_twin(data: bytes) -> None:
    assert read(data)[0] == naive.pcap(data)[0]


@slow_at_first
@given(pcapngs)
def test_blocks_like_twin(data: bytes) -> None:
    assert read(data)[0] == naive.pcapng(data)[0]


@slow_at_first
@given(captures, st.lists(st.integers(1, 60), min_size=1, max_size=9), st.sampled_from([64, 100, 4096]), st.booleans())
def test_pieces_make_no_difference(data: bytes, sizes: list[int], batch: int, live: bool) -> None:
    whole, info = read(data)
    rows, piecewise = read(data, sizes, batch, live)
    assert rows == whole
    assert notes(piecewise) == notes(info)


@pytest.mark.parametrize("data", [SMALL_PCAP, SMALL_PCAPNG], ids=["pcap", "pcapng"])
def test_cut_at_every_byte(data: bytes) -> None:
    whole = twin(data)[0]
    assert read(data)[0] == whole
    for end in range(len(data)):
        if end < ENOUGH and not (end >= 16 and data is SMALL_PCAPNG):
            with pytest.raises(TeardownError):
                read(data[:end])
            continue
        rows, info = read(data[:end])
        expected, how = twin(data[:end])
        assert rows == expected == whole[: len(rows)]
        assert ("cut short" in notes(info)) == (how == "cut")


def damaged(data: bytes, chance: random.Random) -> bytes:
    """``data`` with a few bytes changed, removed or put in."""
    broken = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(broken) or 1)
        what = chance.randrange(4)
        if what == 0:
            broken[at : at + 1] = [chance.randrange(256)]
        elif what == 1:
            broken[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x80", b"\x10\0\0\0"])
        elif what == 2:
            del broken[at : at + chance.randint(1, 8)]
        else:
            broken[at:at] = chance.randbytes(chance.randint(1, 8))
    return bytes(broken)


def fuzz(count: int, seed: int) -> int:
    """Read ``count`` damaged captures; return how many packets they gave. Nothing but a TeardownError may come."""
    chance = random.Random(seed)
    packets = 0
    for data in itertools.islice(itertools.cycle([SMALL_PCAP, SMALL_PCAPNG]), count):
        broken = damaged(data, chance)
        try:
            rows, _ = read(broken, [chance.randint(1, 200)], 256)
        except TeardownError:
            continue
        packets += len(rows)
        if broken[4:8] == data[4:8] and broken[:4] == data[:4] == SMALL_PCAPNG[:4]:
            assert rows == naive.pcapng(broken)[0]
    return packets


def test_damaged_anywhere() -> None:
    assert fuzz(4000, 1) > 4000


@pytest.mark.parametrize("checked", ["NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"])
def test_damaged_anywhere_checked(checked: str) -> None:
    """The same with every index checked, and with the kernels as ordinary Python."""
    environment = {**os.environ, checked: "1"}
    script = "from tests.capture.test_parsing import fuzz; print(fuzz(300, 2))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == fuzz(300, 2)


@slow_at_first
@given(captures, st.randoms(use_true_random=False))
def test_damaged_samples(data: bytes, chance: random.Random) -> None:
    broken = data[:24] + damaged(data[24:], chance) if len(data) > 24 else data
    try:
        rows, _ = read(broken)
    except TeardownError:
        return
    assert [row[0] for row in rows] == sorted({row[0] for row in rows})
