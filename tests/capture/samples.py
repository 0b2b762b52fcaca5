"""Captures that hypothesis makes: every kind of record and block, in both byte orders, with any clock."""

from hypothesis import strategies as st

from tests.capture.build import EPOCH, block, clock, enhanced, interface, old, option, pcap, section, simple

orders = st.sampled_from("<>")
payloads = st.binary(max_size=70)
ticks = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.integers(EPOCH * 10**6, EPOCH * 10**6 + 10**9),
    st.sampled_from([0, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]),
    st.sampled_from([-2208988800, -1, 0, 4607280000, 10413792000, 16725225600]).map(
        lambda second: second * 10**9 % (1 << 64)
    ),
)
resolutions = st.none() | st.integers(0, 255)
offsets = st.none() | st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-(10**10), 10**10)
others = st.sampled_from([4, 5, 7, 9, 0xA, 0xBAD, 0x40000BAD, 0x204, 0x208, 0x216, 0x221, 0x80000001])

pcaps = st.builds(
    pcap,
    st.lists(st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 32) - 1), payloads), max_size=12),
    orders,
    st.sampled_from([0xA1B2C3D4, 0xA1B23C4D]),
    st.sampled_from([0, 1, 101, 113, 276, 0x14000001]),
    st.sampled_from([0, 96, 65_535, 262_144, 0xFFFFFFFF]),
)


@st.composite
def sections(draw: st.DrawFn) -> bytes:
    """One section: interfaces and blocks in any order, some packets of interfaces that are not there."""
    order = draw(orders)
    pieces = [section(order, draw(st.sampled_from([(1, 0), (1, 2)])))]
    for _ in range(draw(st.integers(0, 12))):
        pieces.append(draw(st.sampled_from([described, packet, packet, other]))(draw, order))
    return b"".join(pieces)


def described(draw: st.DrawFn, order: str) -> bytes:
    options = clock(draw(resolutions), draw(offsets), order=order) if draw(st.booleans()) else b""
    return interface(order, draw(st.sampled_from([0, 1, 113])), draw(st.sampled_from([0, 32])), options)


def packet(draw: st.DrawFn, order: str) -> bytes:
    which, data = draw(st.integers(0, 2)), draw(payloads)
    form = draw(st.integers(0, 3))
    if form == 0:
        return simple(data, draw(st.sampled_from([len(data), 40])), order)
    if form == 1:
        return old(draw(ticks), data, which, order)
    options = option(2, b"\0\0\0\0", order) if form == 2 else b""
    return enhanced(draw(ticks), data, which, order, options)


def other(draw: st.DrawFn, order: str) -> bytes:
    return block(draw(others), draw(st.binary(max_size=40)), order)


pcapngs = st.lists(sections(), min_size=1, max_size=3).map(b"".join)
captures = pcaps | pcapngs
