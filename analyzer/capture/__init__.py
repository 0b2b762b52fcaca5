"""Captures as batches of packets: bytes in, rows of PACKET out.

    byte_stream  ->  packet_source (buffer)  ->  pcap, pcapng (compiled parsers)  ->  merge (files in time order)

``docs/readers.md`` says which formats are read and where the numbers differ from Wireshark's, and why.
"""

import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analyzer.settings import Settings

if TYPE_CHECKING:
    from analyzer.capture.capture_stream import CaptureStream


def open_captures(
    paths: Sequence[str | os.PathLike[str]], gap_ns: int = Settings.capture_gap_ns, skip_bad: bool = False
) -> "CaptureStream":
    """The captures at ``paths`` as one capture in time order; ``-`` is standard input.

    Files are pcap, pcapng or snoop, plain or packed with gzip or zstd, in any mixture. Raises UnreadableCapture for
    a file that cannot be read at all, UsageError where the paths make no sense together. What is only partly wrong
    is said in ``notices`` while the packets are read. Where nothing was captured for longer than ``gap_ns`` between
    two files is said in ``recording.gaps``. With ``skip_bad``, those of several files that cannot be read are left out,
    which is said in ``notices``.
    """
    from analyzer.capture.capture_stream import open_files

    return open_files([paths] if isinstance(paths, (str, os.PathLike)) else paths, gap_ns, skip_bad)


def open_pipe(file: io.FileIO, name: str) -> "CaptureStream":
    """The capture that can be read from an open file, for instance the output of a capturing program.

    ``name`` stands for it in messages. Packets are handed on as they come, not only when a batch is full.
    """
    from analyzer.capture.capture_stream import open_file

    return open_file(file, name)
