"""The address book: numbers by first appearance, whatever the keys; texts as people write addresses."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.segments import AddressBook, Decoder
from analyzer.segments.kernels.addresses import USED
from tests.segments.build import Frame, batch, ethernet, ipv4, ipv6, tcp

either = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv4Address),
    st.integers(0, 2**128 - 1).map(IPv6Address),
    st.integers(0, 2**32 - 1).map(IPv6Address),
    st.integers(0, 20).map(IPv4Address),
    st.integers(0, 2**16 - 1).map(lambda number: IPv6Address(number << 112 | 1)),
)


def named(pairs: list[tuple[str, str]], book: AddressBook) -> list[tuple[int, int]]:
    """The rows of the ends of one segment for each pair."""
    frames = [
        Frame(ethernet(ipv6(tcp(), ends=pair), 0x86DD) if ":" in pair[0] else ethernet(ipv4(tcp(), ends=pair)))
        for pair in pairs
    ]
    rows = Decoder(book).decode(batch(frames))
    return list(zip(rows["src"].tolist(), rows["dst"].tolist(), strict=True))


@settings(max_examples=100, deadline=None)
@given(st.lists(either, min_size=1, max_size=60), st.integers(2, 10))
def test_like_a_dictionary(addresses: list[IPv4Address | IPv6Address], capacity: int) -> None:
    """Against the obvious twin, growing from a book of almost no room."""
    texts = [str(address) for address in addresses]
    twin: dict[str, int] = {}
    wanted = [(row := twin.setdefault(text, len(twin)), row) for text in texts]
    book = AddressBook(capacity)
    assert named([(text, text) for text in texts], book) == wanted
    assert [str(ip_address(text)) for text in book.texts()] == list(twin)
    assert len(book) == len(twin)


def test_thousands_of_neighbours_and_growth() -> None:
    pairs = [(str(IPv4Address(0x0A000000 + n)), str(IPv4Address(0xC0A80000 + n * 65536 % 2**24))) for n in range(5000)]
    book = AddressBook(2)
    twin: dict[str, int] = {}
    wanted = [(twin.setdefault(a, len(twin)), twin.setdefault(b, len(twin))) for a, b in pairs]
    assert named(pairs, book) == wanted
    assert book.texts() == list(twin)
    assert len(book.slots) >= 2 * len(book)


def test_errors_bring_three_addresses_each() -> None:
    """To a book that has almost no room."""
    quoted = [ipv4(tcp(), ends=(f"10.0.{n}.1", f"10.0.{n}.2")) for n in range(200)]
    told = [b"\3\1" + bytes(6) + packet for packet in quoted]
    errors = [Frame(ipv4(data, ends=(f"10.0.{n}.3", "0.0.0.0"), protocol=1), link=101) for n, data in enumerate(told)]
    book = AddressBook(2)
    rows = Decoder(book).decode(batch(errors))
    assert [rows[name].tolist() for name in ("src", "dst", "ts_ecr")] == [list(range(n, 600, 3)) for n in range(3)]
    assert book.texts() == [f"10.0.{n // 3}.{n % 3 + 1}" for n in range(600)]


def test_ipv4_and_its_images_in_ipv6_are_three_addresses() -> None:
    book = AddressBook()
    rows = named([("1.2.3.4", "1.2.3.4"), ("::1.2.3.4", "::ffff:1.2.3.4")], book)
    assert rows == [(0, 0), (1, 2)]
    assert book.text(0) == "1.2.3.4"
    assert book.text(2) == "::ffff:1.2.3.4"


def test_texts_are_canonical_and_made_once() -> None:
    book = AddressBook()
    named([("2001:db8:0:0:1:0:0:1", "fe80:0:0:0:0:0:0:ABCD")], book)
    assert book.text(1) == "fe80::abcd"
    assert book.texts() == ["2001:db8::1:0:0:1", "fe80::abcd"]
    first = book.texts()[0]
    named([("::1", "::")], book)
    assert book.texts() == ["2001:db8::1:0:0:1", "fe80::abcd", "::1", "::"]
    assert book.texts()[0] is first


def test_keys_differ_and_numbers_do_not() -> None:
    one, other = AddressBook(), AddressBook()
    assert (one.state != other.state).any()
    pairs = [(f"10.0.0.{n}", f"10.0.1.{n}") for n in range(200)]
    assert named(pairs, one) == named(pairs, other)
    assert one.texts() == other.texts()


def test_two_decoders_share_a_book() -> None:
    book = AddressBook()
    assert named([("10.0.0.1", "10.0.0.2")], book) == [(0, 1)]
    assert named([("10.0.0.3", "10.0.0.1")], book) == [(2, 0)]


def test_hostile_addresses_do_not_pile_up() -> None:
    """Addresses that agree in their low bits, as a table without keys would put them into one place."""
    book = AddressBook(4096)
    named([(str(IPv4Address(n << 20)), str(IPv4Address(n << 20))) for n in range(4000)], book)
    taken = np.flatnonzero(book.slots["version"])
    runs = np.diff(np.flatnonzero(np.diff(taken, prepend=-2) > 1), append=len(taken))
    assert runs.max() < 200


groups = st.sampled_from([0, 0, 0, 1, 0xF, 0x10, 0xFF, 0x100, 0xFFF, 0x1000, 0xFFFF]) | st.integers(0, 0xFFFF)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(groups, min_size=8, max_size=8), min_size=1, max_size=20))
def test_texts_like_the_system(addresses: list[list[int]]) -> None:
    packed = [b"".join(group.to_bytes(2) for group in address) for address in addresses]
    book = AddressBook(len(packed) + len(packed))
    for number, address in enumerate(packed):
        row = book.rows[number]
        row["version"], row["high"], row["low"] = 6, *np.frombuffer(address, ">i8")
    book.state[USED] = len(packed)
    assert book.texts() == [socket.inet_ntop(socket.AF_INET6, address) for address in packed]
    for number, address in enumerate(packed):
        book.rows["version"][number], book.rows["low"][number] = 4, int.from_bytes(address[-4:])
    words = book.words()
    assert [words[k].decode() for k in range(len(words))] == [socket.inet_ntop(socket.AF_INET, a[-4:]) for a in packed]
    assert book.words(1, 1).text.tobytes() == b"" and len(book.words(len(packed))) == 0
