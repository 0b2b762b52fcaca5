"""Packets to the one table of TCP segments: :class:`Decoder`; its columns are documented in :mod:`.table`."""

from analyzer.segments.addresses import AddressBook
from analyzer.segments.decode import Decoder
from analyzer.segments.table import SEGMENT

__all__ = ["SEGMENT", "AddressBook", "Decoder"]
