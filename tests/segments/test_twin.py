"""The compiled decoder against its slow twin: on packets built at random, damaged at random, cut everywhere."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.segments import SEGMENT, Decoder
from analyzer.segments.table import QUOTED
from tests.segments import twin
from tests.segments.build import TIMESTAMP, Frame, batch, ethernet, extension, ipv4, ipv6, tcp, udp

COMPARED = [name for name in SEGMENT.names or () if name not in ("time", "frame", "sender", "interface")]

numbers = st.sampled_from([0, 1, 2**16 - 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)
ports = st.tuples(st.integers(0, 65535), st.integers(0, 65535))
addresses = st.sampled_from(["10.0.0.1", "10.0.0.2", "255.255.255.255", "0.0.0.0", "1.2.3.4"])
addresses6 = st.sampled_from(["::", "::1", "::ffff:1.2.3.4", "::1.2.3.4", "2001:db8::1", "ff02::1"])
one_option = st.sampled_from(
    [
        b"\1",
        b"\0",
        TIMESTAMP[2:],
        TIMESTAMP,
        b"\3\3\7",
        b"\2\4\5\xb4",
        b"\4\2",
        b"\5\x0a" + bytes(8),
        b"\x08\x0a",
        b"\7\0",
    ]
)


@st.composite
def options(draw: st.DrawFn) -> bytes:
    data = b"".join(draw(st.lists(one_option, max_size=5)))[:40]
    return data + bytes(-len(data) % 4)


@st.composite
def segments(draw: st.DrawFn) -> bytes:
    return tcp(
        draw(st.binary(max_size=6) | st.integers(0, 10).map(bytes)),
        ports=draw(ports),
        seq=draw(numbers),
        ack=draw(numbers),
        flags=draw(st.integers(0, 0xFFF)),
        window=draw(st.integers(0, 65535)),
        options=draw(options()),
        offset=draw(st.none() | st.none() | st.integers(0, 15)),
    )


@st.composite
def packets4(draw: st.DrawFn, payload: bytes, protocol: int) -> bytes:
    total = draw(st.none() | st.none() | st.none() | st.sampled_from([0, 42, 46]) | st.integers(0, 120))
    ip_options = draw(st.sampled_from([b"", b"", b"\1\1\1\0", b"\x94\4\0\0" * 10]))
    ends = draw(st.tuples(addresses, addresses))
    fragment = draw(st.sampled_from([0, 0x4000, 0x8000]))
    ip_id, ttl = draw(st.integers(0, 65535)), draw(st.integers(0, 255))
    return ipv4(
        payload, ends=ends, protocol=protocol, options=ip_options, total=total, fragment=fragment, ip_id=ip_id, ttl=ttl
    )


@st.composite
def packets6(draw: st.DrawFn, payload: bytes, protocol: int) -> bytes:
    for kind in draw(st.lists(st.sampled_from([0, 43, 60]), max_size=2)):
        payload, protocol = extension(protocol, payload, draw(st.sampled_from([bytes(6), bytes(14)]))), kind
    length = draw(st.none() | st.none() | st.none() | st.integers(0, 120))
    return ipv6(payload, ends=draw(st.tuples(addresses6, addresses6)), following=protocol, length=length)


@st.composite
def packets(draw: st.DrawFn) -> tuple[int, bytes]:
    """An IP packet with its version: TCP, perhaps in a tunnel or quoted."""
    version = draw(st.sampled_from([4, 6]))
    data: bytes = draw((packets4 if version == 4 else packets6)(draw(segments()), 6))
    wrap = draw(st.sampled_from(["", "", "", "in IP", "vxlan", "icmp"]))
    outer = version if wrap == "icmp" else draw(st.sampled_from([4, 6]))
    if not wrap:
        return version, data
    if wrap == "in IP":
        protocol = 4 if version == 4 else 41
    elif wrap == "vxlan":
        kind = 0x0800 if version == 4 else 0x86DD
        data, protocol = udp(b"\x08" + bytes(7) + ethernet(data, kind), ports=(50000, 4789)), 17
    else:
        kinds = [3, 4, 5, 11, 12] if version == 4 else [1, 2, 3, 4]
        data = data[: draw(st.sampled_from([28, 36, 48, 500]))]
        data, protocol = bytes([draw(st.sampled_from(kinds))]) + bytes(7) + data, 1 if version == 4 else 58
    return outer, draw((packets4 if outer == 4 else packets6)(data, protocol))


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    version, data = draw(packets())
    kind = 0x0800 if version == 4 else 0x86DD
    link = draw(st.sampled_from([1, 1, 101, 113]))
    if link == 1:
        tags = draw(st.lists(st.sampled_from([(0x8100, 1), (0x88A8, 2)]), max_size=3))
        data = ethernet(data, kind, *tags) + draw(st.sampled_from([b"", bytes(6)]))
        data += draw(st.sampled_from([b"", bytes(max(0, 60 - len(data))), bytes(max(0, 60 - len(data))) + b"FCS!"]))
    elif link == 113:
        data = b"\0\0\0\1\0\6" + bytes(8) + kind.to_bytes(2, "big") + data
    return Frame(data, draw(st.none() | st.integers(len(data), len(data) + 2000)), link)


@st.composite
def damaged(draw: st.DrawFn) -> Frame:
    frame = draw(frames())
    data = bytearray(frame.data)
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=4)):
        data[place] = draw(st.integers(0, 255))
    kept = draw(st.just(len(data)) | st.integers(0, len(data)))
    return Frame(bytes(data[:kept]), frame.length or len(data), frame.link)


def assert_like_twin(some: list[Frame]) -> None:
    decoder = Decoder()
    rows = decoder.decode(batch(some))
    found = {int(row["frame"]): row for row in rows}
    texts = decoder.book.texts()
    assert len(rows) + sum(decoder.counts.values()) == len(some)
    for number, frame in enumerate(some, start=1):
        try:
            wanted = twin.decode(frame)
        except twin.Unknown:
            continue
        assert (number in found) == (wanted is not None), (frame, wanted)
        if wanted is None:
            continue
        row = found[number]
        got: dict[str, Any] = {name: int(row[name]) for name in COMPARED}
        if row["marks"] & QUOTED and row["ts_val"]:
            got["ts_ecr"] = canonical(texts[row["ts_ecr"]])
        assert got | {"src": canonical(texts[row["src"]]), "dst": canonical(texts[row["dst"]])} == wanted, frame


def canonical(text: str) -> str:
    return str(twin.ip_address(text))


@settings(max_examples=150, deadline=None)
@given(st.lists(frames(), min_size=1, max_size=12))
def test_built(some: list[Frame]) -> None:
    assert_like_twin(some)


@settings(max_examples=250, deadline=None)
@given(st.lists(damaged(), min_size=1, max_size=12))
def test_damaged(some: list[Frame]) -> None:
    assert_like_twin(some)


SAMPLES = {
    "plain": Frame(ethernet(ipv4(tcp(b"hello", options=TIMESTAMP)))),
    "SYN": Frame(ethernet(ipv4(tcp(flags=2, options=b"\2\4\5\xb4\3\3\7\1")))),
    "VLANs, IPv6, extensions": Frame(
        ethernet(ipv6(extension(60, extension(6, tcp(b"hello"))), following=0), 0x86DD, (0x88A8, 1), (0x8100, 2))
    ),
    "IPv4 options": Frame(ipv4(tcp(b"hello"), options=b"\x94\4\0\0"), link=101),
    "VXLAN": Frame(
        ethernet(ipv4(udp(b"\x08" + bytes(7) + ethernet(ipv4(tcp(b"hello"))), ports=(1, 4789)), protocol=17))
    ),
    "quoted": Frame(ethernet(ipv4(b"\3\1" + bytes(6) + ipv4(tcp(b"hello", options=TIMESTAMP)), protocol=1))),
    "quoted, padded": Frame(ethernet(ipv4(b"\3\1" + bytes(6) + ipv4(tcp())[:28], protocol=1) + bytes(20))),
    "quoted, IPv6": Frame(ethernet(ipv6(b"\1\4" + bytes(6) + ipv6(tcp(b"hello"))[:48], following=58), 0x86DD)),
    "quoted twice": Frame(
        ipv4(b"\3\1" + bytes(6) + ipv4(b"\3\3" + bytes(6) + ipv4(tcp()), protocol=1), protocol=1), link=101
    ),
    "padded": Frame(ethernet(ipv4(tcp(), total=46)) + bytes(6)),
    "padded, no length": Frame(ethernet(ipv4(tcp(), total=0)) + bytes(6) + b"FCS!"),
    "padded, VLAN": Frame(ethernet(ipv4(tcp(), total=42), 0x0800, (0x8100, 5)) + bytes(2)),
    "tunnel quoted": Frame(ipv4(b"\3\1" + bytes(6) + ipv4(ipv4(tcp()), protocol=4), protocol=1), link=101),
}


@pytest.mark.parametrize("frame", SAMPLES.values(), ids=SAMPLES)
def test_every_truncation(frame: Frame) -> None:
    """Cut by the snap length, and cut on the wire."""
    whole = len(frame.data)
    assert_like_twin([Frame(frame.data[:kept], whole, frame.link) for kept in range(whole + 1)])
    assert_like_twin([Frame(frame.data[:kept], None, frame.link) for kept in range(whole + 1)])


@pytest.mark.parametrize("frame", SAMPLES.values(), ids=SAMPLES)
def test_every_byte_changed(frame: Frame) -> None:
    some = []
    for place in range(len(frame.data)):
        for value in (0, 1, 6, 0x45, 0x7F, 0x80, 0xFF):
            data = frame.data[:place] + bytes([value]) + frame.data[place + 1 :]
            some.append(Frame(data, frame.length, frame.link))
    assert_like_twin(some)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=120), st.sampled_from([*range(290)])), max_size=20))
def test_noise_is_read_without_harm_and_counted(noise: list[tuple[bytes, int]]) -> None:
    decoder = Decoder()
    rows = decoder.decode(batch([Frame(data, link=link) for data, link in noise]))
    assert len(rows) + sum(decoder.counts.values()) == len(noise)
