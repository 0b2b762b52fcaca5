"""Structures as Thrift's compact protocol writes them: what Parquet says about its pages and about itself.

A structure is a dict from the number of a field to its value, fields in the order of their numbers, None where one is
not there. https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md has the layout; the
structures themselves are in https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

TRUE, FALSE, SHORT, INTEGER, LONG, BINARY, LIST, STRUCT = 1, 2, 4, 5, 6, 8, 9, 12  # kinds of values


class Wide(int):
    """An integer of 64 bits where ordinary ones have 32."""


class Short(int):
    """An integer of 16 bits."""


class Coded(NamedTuple):
    """A structure that is bytes already."""

    data: bytes


def structure(fields: Mapping[int, Any]) -> bytes:
    """The bytes of a structure."""
    parts, last = [], 0
    for number, value in fields.items():
        if value is not None:
            kind, data = _value(value)
            parts.append(bytes((number - last << 4 | kind,)))
            parts.append(data)
            last = number
    return b"".join((*parts, b"\0"))


def varint(value: int) -> bytes:
    """A number without sign, seven bits a byte, the lowest first."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def zigzag(value: int) -> bytes:
    """A number with its sign in the lowest bit."""
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _value(value: Any) -> tuple[int, bytes]:
    """What kind of value it is, and its bytes within a structure."""
    if isinstance(value, bool):
        return (TRUE if value else FALSE), b""
    if isinstance(value, int):
        return (LONG if isinstance(value, Wide) else SHORT if isinstance(value, Short) else INTEGER), zigzag(value)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return BINARY, varint(len(value)) + value
    if isinstance(value, Coded):
        return STRUCT, value.data
    if isinstance(value, Mapping):
        return STRUCT, structure(value)
    return LIST, _list(value)


def _list(values: Sequence[Any]) -> bytes:
    kinds, parts = zip(*map(_value, values), strict=True) if values else ((STRUCT,), ())
    head = (
        bytes((len(values) << 4 | kinds[0],)) if len(values) < 15 else bytes((0xF0 | kinds[0],)) + varint(len(values))
    )
    return head + b"".join(parts)
