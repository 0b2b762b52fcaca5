"""The same packets, damaged at random in every header the decoder knows, three ways: compiled; compiled with every
index checked; and the same functions as ordinary Python, where numpy's overflow warnings are errors."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from analyzer.segments import AddressBook, Decoder
from tests.segments.build import Frame, batch, ipv4, tcp, udp
from tests.segments.examples import LINKS, TUNNELS
from tests.segments.test_batches import in_pieces
from tests.segments.test_fragments import in_pieces6


def damaged(seed: int, rounds: int) -> list[Frame]:
    """All examples, ``rounds`` times, each with a few bytes changed or its end cut off."""
    random = Random(seed)
    samples = [Frame(data, link=link) for link, data in LINKS.values()]
    samples += [Frame(ipv4(data, protocol=protocol), link=101) for protocol, data in TUNNELS.values()]
    samples += [
        *in_pieces(tcp(bytes(100)), 48, 1),
        *in_pieces6(tcp(bytes(100)), 48),
        *in_pieces(udp(bytes(80)), 48, 1, 17),
    ]
    frames = []
    for sample in samples * rounds:
        data = bytearray(sample.data)
        for _ in range(random.randrange(4)):
            data[random.randrange(len(data))] = random.choice([0, 255, 4, 6, random.randrange(256)])
        kept = random.choice([len(data), len(data), random.randrange(len(data) + 1)])
        frames.append(Frame(bytes(data[:kept]), random.choice([None, len(data), 2**32 - 1]), sample.link))
    return frames


def digest(seed: int, rounds: int, capacity: int = 4096) -> str:
    """What became of them: every column, every address, every reason, as one fingerprint. In a book with room for more
    than 4096 addresses, those of the next packets are asked for beforehand."""
    frames = damaged(seed, rounds)
    decoder = Decoder(AddressBook(capacity))
    rows = decoder.decode(batch(frames))
    assert len(rows) + sum(decoder.counts.values()) == len(frames)
    assert len(rows) > len(frames) / 4
    text = repr((rows.tolist(), decoder.book.texts(), sorted(decoder.details.items())))
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("mode", ["NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"])
def test_same_answer(mode: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            "from tests.segments.test_checked import digest; print(digest(7, 20, 8192))",
        ],
        env={**os.environ, mode: "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest(7, 20)


def test_much_damage() -> None:
    digest(8, 200)
