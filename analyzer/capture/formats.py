"""Which format a capture has, told by its first bytes: the parser that reads it, or one line saying what to do.

Read here: classic pcap (all variants Wireshark knows), pcapng, snoop. Other capture formats that Wireshark reads
are recognised and answered with the command that converts them.
"""

from collections.abc import Callable

from analyzer.capture import pcap, pcapng
from analyzer.capture.parser import CaptureInfo, Parser
from analyzer.errors import UnreadableCapture

ENOUGH = 24  # bytes of a file by which every format read here can be told

CONVERT = "add --engine tshark, or convert it with: editcap -F pcapng IN OUT"
# First bytes of files that are not read here, what they are, and what to do with them.
FOREIGN = (
    (b"GMBU", "a Microsoft Network Monitor 2 capture", CONVERT),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", CONVERT),
    (b"XCP\0", "a NetXRay or Windows Sniffer capture", CONVERT),
    (b"VL\0\0", "an old NetXRay capture", CONVERT),
    (b"TRSNIFF data    \x1a", "a DOS Sniffer capture", CONVERT),
    (b"btsnoop\0", "a Bluetooth capture", "there is no TCP in it"),
    (b"\xaa\xaa\xaa\xaa", "a 5View capture", CONVERT),
    (b"ObserverPktBuffe", "a Network Instruments Observer capture", CONVERT),
    (b"\x05VNF", "a Visual Networks capture", CONVERT),
    (b"\x01\x10\x4c\x00", "a LANalyzer capture", CONVERT),
    (b"\x54\x52\x00\x64\x00", "an HP-UX nettl trace", CONVERT),
    (b"\x1c\x00\x01\xac", "an Ixia capture", CONVERT),
    (b"\xfd7zXZ\0", "compressed with xz", "decompress it with: xz -d FILE"),
    (b"BZh", "compressed with bzip2", "decompress it with: bzip2 -d FILE"),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "decompress it with: lz4 -d FILE"),
    (b"PK\x03\x04", "a zip archive", "extract it and name the captures in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "extract it and name the captures in it"),
    (b"\x7fELF", "a program", "give a capture file (tcpdump -w FILE, or saved by Wireshark)"),
)
EXPECTED = "give a pcap or pcapng file (tcpdump -w FILE, or saved by Wireshark)"


def recognise(name: str, head: bytes, whole: bool, info: CaptureInfo) -> tuple[Parser, int]:
    """The parser for the capture that begins with ``head``, and where its first record or block stands.

    ``whole``: there is nothing beyond ``head``. Raises UnreadableCapture for anything else than a capture.
    """
    if not head:
        raise UnreadableCapture(f"{name} is empty: the capture has not been written yet, or copying it failed")
    magic = int.from_bytes(head[:4], "big")
    if magic in pcap.MAGICS:
        return _fixed(name, head, pcap.PCAP_HEADER, "pcap", lambda: pcap.pcap(name, info, head, whole))
    if head.startswith(pcap.SNOOP_MAGIC):
        return _fixed(name, head, pcap.SNOOP_HEADER, "snoop", lambda: pcap.snoop(name, info, head))
    if head.startswith(pcapng.SECTION_MAGIC):
        _check_section(name, head)
        return pcapng.PcapngParser(name, info), 0
    raise UnreadableCapture(f"{name} {what_else(head)}")


def _fixed(name: str, head: bytes, size: int, kind: str, parser: Callable[[], Parser | None]) -> tuple[Parser, int]:
    """The parser of a format with a file header of ``size`` bytes."""
    if len(head) < size:
        raise UnreadableCapture(
            f"{name} is cut short inside its {kind} file header ({len(head)} of {size} bytes); fetch it again"
        )
    found = parser()
    if found is None:
        raise UnreadableCapture(f"{name} begins like a {kind} file, but has an unknown version; {CONVERT}")
    return found, size


def _check_section(name: str, head: bytes) -> None:
    """Refuse a file whose first section header cannot be used at all."""
    order = pcapng.ORDERS.get(head[8:12])
    if len(head) < 16:
        raise UnreadableCapture(f"{name} is cut short inside its pcapng section header; fetch it again")
    if order is None:
        raise UnreadableCapture(
            f"{name} begins like a pcapng file, but has no valid byte order; a transfer in text mode causes this"
        )
    version = tuple(int.from_bytes(head[at : at + 2], "big" if order == ">" else "little") for at in (12, 14))
    if version not in pcapng.VERSIONS:
        raise UnreadableCapture(
            f"{name} is a pcapng file of version {version[0]}.{version[1]}, which is not supported; {CONVERT}"
        )


def what_else(head: bytes) -> str:
    """What a file is that is no capture read here, and what to do."""
    for magic, what, advice in FOREIGN:
        if head.startswith(magic):
            return f"is {what}, which is not supported directly; {advice}"
    if is_text(head[:512]):
        return f"is a text file, not a packet capture; {EXPECTED}"
    if is_erf(head):
        return f"looks like an Endace ERF capture, which is not supported directly; {CONVERT}"
    return f"is not in a known capture format (it begins with {head[:4].hex(' ')}); {EXPECTED}, or {CONVERT}"


def is_text(head: bytes) -> bool:
    """Whether these bytes are something people read."""
    try:
        words = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        words = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\t\r\n\f\x1b" for letter in words)


def is_erf(head: bytes) -> bool:
    """Whether these bytes look like ERF records, which have no magic number: type, length and time make sense."""
    if len(head) < 16:
        return False
    kind, size = head[8] & 0x7F, int.from_bytes(head[10:12], "big")
    seconds = int.from_bytes(head[4:8], "little")
    return 1 <= kind <= 48 and size >= 16 and 500_000_000 < seconds < 4_000_000_000
