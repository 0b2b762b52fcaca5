"""pcapng: clocks, sections, interfaces, blocks that are no packets, and damage that can be stepped over."""

import struct
from datetime import date
from fractions import Fraction

import pytest

from tests.capture.build import EPOCH, block, clock, enhanced, interface, notes, old, option, read, section, simple


def one_time(ticks: int, resolution: int | None = None, offset: int | None = None) -> int:
    data = section() + interface(options=clock(resolution, offset)) + enhanced(ticks, b"x")
    ((_, time, *_),) = read(data)[0]
    return time


@pytest.mark.parametrize("order", ["<", ">"])
def test_microseconds_without_option(order: str) -> None:
    data = section(order) + interface(order) + enhanced(EPOCH * 10**6 + 5, b"x", order=order)
    assert read(data)[0][0][1] == EPOCH * 10**9 + 5000


@pytest.mark.parametrize("power", [*range(11)])
def test_powers_of_ten(power: int) -> None:
    """tshark prints the same times for these."""
    ticks = EPOCH * 10**power + 10**power // 3
    assert one_time(ticks, power) == ticks * 10**9 // 10**power


@pytest.mark.parametrize("power", [*range(1, 34)])
def test_powers_of_two(power: int) -> None:
    ticks = (EPOCH << power) + (1 << power) // 3
    assert one_time(ticks, 0x80 | power) == ticks * 10**9 >> power


@pytest.mark.parametrize("resolution", [11, 12, 15, 19, 0x80 | 34, 0x80 | 40, 0x80 | 63])
def test_finer_than_wireshark_can(resolution: int) -> None:
    """Wireshark's 64-bit product overflows here; the exact time does not."""
    units = 2 ** (resolution & 127) if resolution & 128 else 10**resolution
    ticks = (1 << 64) - 12_345
    assert one_time(ticks, resolution) == int(Fraction(ticks, units) * 10**9)


@pytest.mark.parametrize("resolution", [20, 127, 0x80 | 64, 0xFF])
def test_units_that_no_clock_has(resolution: int) -> None:
    packets = enhanced(5, b"x") + enhanced(EPOCH * 10**6, b"y", 1) + enhanced(7, b"z")
    data = section() + interface(options=clock(resolution)) + interface() + packets
    rows, info = read(data)
    assert [row[1] for row in rows] == [0, EPOCH * 10**9, EPOCH * 10**9]
    assert "has a time resolution too fine for any clock; its packets get the time" in notes(info)


def test_offset() -> None:
    assert one_time(EPOCH * 10**6, None, 5) == (EPOCH + 5) * 10**9
    assert one_time(EPOCH * 10**6 + 1, None, -EPOCH - 5) == -5 * 10**9 + 1000


def second(year: int) -> int:
    """When a year begins, in seconds since 1970."""
    before = year - 1
    return (365 * before + before // 4 - before // 100 + before // 400 - date(1970, 1, 1).toordinal() + 1) * 86_400


def dated(*ticks: int, resolution: int = 9, offset: int = 0) -> tuple[list[int], str]:
    """The times of packets with so many ticks each, negative ones as they are written, and what is said of them."""
    packets = b"".join(enhanced(count % (1 << 64), b"x") for count in ticks)
    rows, info = read(section() + interface(options=clock(resolution, offset)) + packets)
    return [row[1] for row in rows], notes(info)


def test_at_1970_and_before() -> None:
    """With an offset, or as negative numbers, which 64 bits without a sign show as dates far beyond."""
    early = [-3 * 10**9, -500_000_000, -1, 0, 1]
    assert dated(*(time + 10 * 10**9 for time in early), offset=-10) == (early, "")
    times, said = dated(*early)
    assert times == early
    assert said == (
        "capture: 3 packets (first: packet 1, dated 2554-07-21 23:34:30.709551616 UTC) with the highest bit of the "
        "timestamp set; it was read as a negative number, a time before 1970"
    )
    assert dated(*(time // 1000 for time in early), resolution=6)[0] == [time // 1000 * 1000 for time in early]


def test_the_edges_of_what_can_be_told() -> None:
    edges = [second(1824) * 10**9, second(2116) * 10**9 - 1]
    for edge, beyond in zip(edges, (-1, 1), strict=True):
        assert dated(7 * 10**9, edge, 9 * 10**9)[0] == [7 * 10**9, edge, 9 * 10**9]
        times, said = dated(7 * 10**9, edge + beyond, 9 * 10**9)
        assert times == [7 * 10**9, 7 * 10**9, 9 * 10**9]
        assert "1 packet (first: packet 2, dated " in said


def test_one_date_that_cannot_be_told_takes_the_time_before() -> None:
    good, bad = EPOCH * 10**6, second(2300) * 10**6 + 5
    times, said = dated(good, bad, good + 2, bad + 10**12, resolution=6)
    assert times == [good * 1000, good * 1000, good * 1000 + 2000, good * 1000 + 2000]
    assert said == (
        "capture: 2 packets (first: packet 2, dated 2300-01-01 00:00:00.000005000 UTC) dated outside the years 1824 to "
        "2115; the time of the packet before was used"
    )


@pytest.mark.parametrize("year", [2116, 2263, 2300, 2400, 55_000])
def test_a_file_whose_dates_cannot_be_told_counts_from_its_first_second(year: int) -> None:
    first = second(year) * 1000 + 250
    times, said = dated(first, first + 1, first + 60_000, resolution=3)
    assert times == [250_000_000, 251_000_000, 60_250_000_000]
    assert said == (
        f"capture: packet 1 is dated {year}-01-01 00:00:00.250000000 UTC, outside the years 1824 to 2115; the "
        f"times of this file count from {year}-01-01 00:00:00 UTC, which is shown as 1970-01-01 00:00:00 UTC"
    )


def test_such_a_clock_goes_on_where_it_jumps_too_far() -> None:
    first, sane = second(2300) * 1000, EPOCH * 1000
    times, said = dated(first, first + 70, sane, sane + 5, first + 90, resolution=3)
    assert times == [0, 70_000_000, 70_000_000, 75_000_000, 75_000_000]
    assert (
        "its clock jumped outside the years 1824 to 2115 (2 times, first: packet 3, dated 2023-11-14 22:13:20 UTC)"
        in said
    )


@pytest.mark.parametrize("offset", [(1 << 63) - 1, -(1 << 63)])
def test_offsets_of_billions_of_years(offset: int) -> None:
    year = "292277026596-12-04 15:30:07" if offset > 0 else "-292277022657-01-27 08:29:52"
    times, said = dated(0, 7, offset=offset)
    assert times == [0, 7]
    assert f"capture: packet 1 is dated {year} UTC, outside the years" in said


def test_more_seconds_than_any_offset_makes_up_for() -> None:
    times, said = dated((1 << 62) - 1, 5, 1 << 62, resolution=0)
    assert times == [0, 5 * 10**9, 5 * 10**9]
    assert "2 packets (first: packet 1, dated 146138514283-06-19 07:45:03 UTC) dated outside" in said


def test_only_the_first_option_of_a_kind_counts_and_none_after_the_end() -> None:
    twice = option(9, b"\x09") + option(9, b"\x03")
    after = option(0, b"") + option(9, b"\x03")
    too_long = option(9, b"\x03\0")
    for options, unit in ((twice, 1), (after, 1000), (too_long, 1000)):
        data = section() + interface(options=options) + enhanced(EPOCH * 10**9 // unit, b"x")
        assert read(data)[0][0][1] == EPOCH * 10**9


def test_sections_have_their_own_interfaces_and_byte_order() -> None:
    data = b"".join(
        [
            section() + interface(link=1, options=clock(9, name="eth0")) + enhanced(EPOCH * 10**9, b"a"),
            section(">") + interface(">", 113, options=clock(name="any", order=">")),
            enhanced(EPOCH * 10**6, b"b", order=">"),
            section() + interface(link=1, options=clock(3, name="eth0")) + enhanced(EPOCH * 10**3, b"c"),
        ]
    )
    rows, info = read(data)
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        (1, EPOCH * 10**9, 1, 0),
        (2, EPOCH * 10**9, 113, 1),
        (3, EPOCH * 10**9, 1, 0),
    ]
    listed = [(one.name, one.link_type, one.packets) for one in info.interfaces.listed]
    assert listed == [("eth0", 1, 2), ("any", 113, 1)]


def test_equal_interfaces_of_one_section_are_two() -> None:
    data = section() + interface() + interface() + enhanced(0, b"a", 1) + enhanced(0, b"b", 0)
    assert [row[4] for row in read(data)[0]] == [1, 0]


def test_simple_packets_take_the_time_before() -> None:
    data = section() + interface(snap=4) + simple(b"abcd", 60) + enhanced(EPOCH * 10**6, b"x") + simple(b"efgh", 60)
    rows, info = read(data)
    assert [(row[1], row[2], row[5]) for row in rows] == [
        (0, 60, b"abcd"),
        (EPOCH * 10**9, 5, b"x"),
        (EPOCH * 10**9, 60, b"efgh"),
    ]
    assert "2 packets (first: packet 1) without a time" in notes(info)


@pytest.mark.parametrize("order", ["<", ">"])
def test_old_packet_blocks(order: str) -> None:
    data = section(order) + interface(order) + interface(order, 113) + old(EPOCH * 10**6, b"abc", 1, order)
    assert read(data)[0] == [(1, EPOCH * 10**9, 7, 113, 1, b"abc")]


# What tshark 4.0.17 numbers as a frame and what it passes over, tried with one block of each type.
FRAMES = {
    0xBAD: "1 custom block skipped",
    0x40000BAD: "1 custom block skipped",
    9: "1 systemd journal entry skipped",
    0x204: "1 sysdig event skipped",
    0x216: "1 sysdig event skipped",
    0x221: "1 sysdig event skipped",
}
PASSED_OVER = [0x201, 0x203, 0x205, 0x208, 0x217, 0x222, 0x101, 7, 8, 0x7777, 0x80000001]


@pytest.mark.parametrize("kind", [*FRAMES, *PASSED_OVER])
def test_blocks_that_are_no_packets(kind: int) -> None:
    packets = [enhanced(EPOCH * 10**6 + number, b"x") for number in range(2)]
    rows, info = read(section() + interface() + packets[0] + block(kind, bytes(40)) + packets[1])
    assert [row[0] for row in rows] == ([1, 3] if kind in FRAMES else [1, 2])
    said = FRAMES.get(kind, f"skipped 1 block of unknown type (first: 0x{kind:08x})")
    assert said in notes(info)


def test_names_and_secrets_are_passed_over_in_silence() -> None:
    rows, info = read(section() + interface() + block(4, bytes(8)) + block(0xA, bytes(8)) + enhanced(0, b"x"))
    assert [row[0] for row in rows] == [1]
    assert info.notices == []


def statistics(drops: int, os_drops: int | None = None, begun: int = 1, which: int = 0) -> bytes:
    options = option(2, struct.pack("<Q", begun)) + option(5, struct.pack("<Q", drops))
    if os_drops is not None:
        options += option(7, struct.pack("<Q", os_drops))
    return block(5, struct.pack("<III", which, 0, 0) + options)


def test_drops_are_those_of_the_last_statistics_of_each_capture() -> None:
    start = section() + interface(options=clock(name="eth0"))
    first = start + statistics(3) + statistics(5, 2) + start + statistics(9)
    _, info = read(first + start + statistics(100, begun=2))
    assert info.interfaces.listed[0].dropped == 109
    _, info = read(start + statistics(3, which=1))
    assert info.interfaces.listed[0].dropped is None


def test_names_from_the_capture_are_made_harmless() -> None:
    name = b"eth0\x1b[31m\n" + "ü\u202e".encode() + b"\xff" + b"x" * 1000
    _, info = read(section() + interface(options=option(2, name)))
    (listed,) = info.interfaces.listed
    assert listed.name.startswith("eth0�[31m�ü��xxx")
    assert len(listed.name) == 200


def test_packet_too_large_for_its_block_is_left_out() -> None:
    bad = block(6, struct.pack("<IIIII", 0, 0, 0, 65_536, 65_536))
    rows, info = read(section() + interface() + bad + enhanced(0, b"x"))
    assert [row[0] for row in rows] == [1]
    assert "block of type 6 at byte 48 (after packet 0) is too small for its packet" in notes(info)


def test_packet_of_unknown_interface_is_left_out() -> None:
    rows, info = read(section() + simple(b"no") + interface() + enhanced(0, b"no", 1) + enhanced(0, b"x"))
    assert [row[5] for row in rows] == [b"x"]
    assert notes(info).count("belongs to an undescribed interface") == 2


def test_a_file_full_of_damage_is_told_shortly() -> None:
    _, info = read(section() + enhanced(0, b"no") * 500)
    assert len(info.notices) == 12
    assert "490 more such notices" in notes(info)


@pytest.mark.parametrize("size", [0, 8, 0x7FFFFFFF, 0xFFFFFFFF])
def test_impossible_block_length(size: int) -> None:
    data = section() + interface() + enhanced(0, b"x")
    rows, info = read(data + struct.pack("<II", 6, size) + bytes(100))
    assert len(rows) == 1
    assert f"the block at byte {len(data)} claims a length of {size:,} bytes, which is impossible" in notes(info)


def test_lengths_that_disagree() -> None:
    data = section() + interface() + enhanced(0, b"x")
    broken = enhanced(0, b"y")[:-4] + struct.pack("<I", 44)
    rows, info = read(data + broken + enhanced(0, b"z"))
    assert len(rows) == 1
    assert f"the block at byte {len(data)} has two different lengths (36 and 44)" in notes(info)


def test_length_without_padding_is_accepted() -> None:
    """Some writers leave the padding out of the length; Wireshark reads them."""
    size = struct.pack("<I", 32 + 5)
    body = struct.pack("<IIIII", 0, 0, 0, 5, 5) + b"abcde\0\0\0"
    rows, _ = read(section() + interface() + struct.pack("<I", 6) + size + body + size + enhanced(0, b"x"))
    assert [row[5] for row in rows] == [b"abcde", b"x"]


def test_a_broken_section_in_the_middle() -> None:
    start = section() + interface() + enhanced(0, b"x")
    for broken, why in (
        (section(version=(1, 1)), "unknown pcapng version 1.1"),
        (section()[:8] + bytes(20), "no valid byte order"),
        (section()[:4] + b"\x08\0\0\0" + section()[8:], "claims a header of 8 bytes"),
        (section()[:-4] + b"\x20\0\0\0", "two different lengths"),
    ):
        rows, info = read(start + broken + enhanced(0, b"y"))
        assert len(rows) == 1
        assert why in notes(info)
