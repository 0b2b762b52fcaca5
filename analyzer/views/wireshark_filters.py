"""Wireshark display filters that show what a finding is about, short enough to be copied from one line."""

from collections.abc import Sequence


def members(field: str, numbers: Sequence[int], room: int) -> tuple[str, int]:
    """``tcp.stream == 7`` or ``tcp.stream in {1, 5, 9}`` in at most ``room`` characters, and how many are in
    it.

    At least one number is always in it. Wireshark 4 wants commas between the members of a set.
    """
    if len(numbers) == 1:
        return f"{field} == {numbers[0]}", 1
    text, used = f"{field} in {{{numbers[0]}", 1
    for number in numbers[1:]:
        longer = f"{text}, {number}"
        if len(longer) >= room:
            break
        text, used = longer, used + 1
    return (text + "}", used) if used > 1 else (f"{field} == {numbers[0]}", 1)


def of_streams(streams: Sequence[int], room: int) -> tuple[str, bool]:
    """The filter that shows connections, and whether it leaves some out; ``streams`` ascending."""
    return _said("tcp.stream", streams, room)


def of_frames(frames: Sequence[int], room: int) -> tuple[str, bool]:
    """The filter that shows frames, and whether it leaves some out; everything where there are none."""
    return _said("frame.number", frames, room) if frames else ("tcp", False)


def of_addresses(hosts: Sequence[str], ports: Sequence[int]) -> str:
    """The filter for the addresses and ports that a finding about many connections names; "" if it names none."""
    return " && ".join([*map(_host, hosts), *(f"tcp.port == {port}" for port in ports)])


def _host(address: str) -> str:
    return f"{'ipv6' if ':' in address else 'ip'}.addr == {address}"


def _said(field: str, numbers: Sequence[int], room: int) -> tuple[str, bool]:
    note = f"  (the first of {len(numbers):,})"
    text, used = members(field, numbers, room)
    if used == len(numbers):
        return text, False
    text, used = members(field, numbers, room - len(note) - 4)
    return f"{text}  (the first {used} of {len(numbers):,})", True
