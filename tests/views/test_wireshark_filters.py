"""Display filters that Wireshark takes as they are printed."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.views.wireshark_filters import members, of_addresses, of_frames, of_streams


def test_many_streams_are_capped_and_counted() -> None:
    said, cut = of_streams(range(1000), 68)
    assert cut
    assert said.startswith("tcp.stream in {0, 1, 2,")
    assert said.endswith("of 1,000)")
    assert len(said) <= 68


def test_frames_and_addresses() -> None:
    assert of_frames([3, 4], 68) == ("frame.number in {3, 4}", False)
    assert of_frames([], 68) == ("tcp", False)
    assert of_addresses(["10.0.0.1", "2001:db8::1"], [443]) == (
        "ip.addr == 10.0.0.1 && ipv6.addr == 2001:db8::1 && tcp.port == 443"
    )


@given(st.lists(st.integers(0, 10**9), min_size=1), st.integers(1, 100))
def test_a_set_fits_or_is_a_single_number(numbers: Sequence[int], room: int) -> None:
    said, used = members("tcp.stream", numbers, room)
    assert 1 <= used <= len(numbers)
    assert len(said) <= room or used == 1


@pytest.mark.parametrize("streams", [1, 3, 1000])
def test_tshark_takes_them(streams: int) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("needs tshark, which is not installed")
    shown = of_streams(range(streams), 68)[0].split("  (")[0]
    capture = Path(__file__).parents[2] / "captures" / "graceful-client-first.pcap"
    read = subprocess.run([tshark, "-r", capture, "-Y", shown], capture_output=True, text=True, check=True)
    assert "FIN, ACK" in read.stdout
