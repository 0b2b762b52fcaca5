"""What ``analyzer.analyze()`` may be given, and how each of it is read.

    a path, several             the readers of files
    bytes, an open binary file  the same readers, from there
    packets of scapy            written as a capture while they are read
    a capture of pyshark        its file; with a filter, the frames of it that tshark lets pass
    a DataFrame of segments     no packets: the analysis goes on from its segments

scapy, pyshark and pandas are looked for among the modules that are imported already: without them nobody has such a
thing.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from os import PathLike
from typing import Any, BinaryIO, cast

from analyzer.capture import open_captures
from analyzer.capture.byte_stream import ByteStream
from analyzer.capture.capture_stream import CaptureStream, open_stream
from analyzer.capture.interfaces import harmless
from analyzer.capture.objects import open_files, pyshark_captures, scapy_packets
from analyzer.capture.objects.frames import Frame, FrameBytes, is_a
from analyzer.engine.connection_packets import PacketAccess
from analyzer.engine.pipeline import opened, run
from analyzer.engine.result import Result, result_of
from analyzer.errors import UsageError
from analyzer.results.result import Analysed
from analyzer.settings import Settings

ACCEPTED = (
    "a path, several paths, an open binary file, bytes, scapy packets, a pyshark capture or a DataFrame of segments"
)
PACKETS, SEGMENTS = "the list of packets", "the DataFrame of segments"  # what messages and the summary call them
NO_NAME = "-"  # what is no file: commands that are advised say CAPTURE
Frames = Callable[[Iterable[Any]], Iterator[Frame]]


def analyze(source: object, settings: Settings) -> Result:
    """Analyse whatever ``source`` is. Raises UsageError for a thing that is none of ``ACCEPTED``."""
    if isinstance(source, str | PathLike):
        return _of_paths([source], settings)
    if isinstance(source, bytes | bytearray | memoryview):
        return _of_bytes(bytes(source), settings)
    if is_a(source, "pandas", "DataFrame"):
        return _of_segments(source, settings)
    if pyshark_captures.is_capture(source):
        return _of_pyshark(source, settings)
    if callable(getattr(source, "read", None)):
        return _of_file(cast(BinaryIO, source), settings)
    return _of_many(source, settings)


def _of_paths(paths: list[Any], settings: Settings) -> Result:
    for path in paths:
        if not isinstance(path, str | PathLike):
            raise UsageError(f"{_named(path)} among paths: analyze() takes {ACCEPTED}")
    names = [str(path) for path in paths]
    source = PacketAccess(partial(open_captures, names, settings.capture_gap_ns, settings.skip_bad))
    if "-" in names:
        source = PacketAccess(None, "standard input can be read only once; write the capture into a file")
    with opened(names, settings) as capture:
        return result_of(run(capture, names, settings), source)


def _of_bytes(data: bytes, settings: Settings) -> Result:
    again = partial(_open, partial(open_files.of_bytes, data))
    return _read(again(), open_files.THE_BYTES, settings, PacketAccess(again))


def _of_file(file: BinaryIO, settings: Settings) -> Result:
    place = open_files.place_of(file)
    source = PacketAccess(None, "the open file cannot be rewound; give its path, or its bytes")
    if place is not None:
        source = PacketAccess(partial(_open, partial(open_files.rewound, file, place)))
    return _read(_open(partial(open_files.of_file, file)), open_files.file_name(file), settings, source)


def _of_pyshark(capture: Any, settings: Settings) -> Result:
    path = pyshark_captures.path_of(capture)
    if path is None:
        return _of_packets(pyshark_captures.frames, pyshark_captures.loaded(capture), settings)
    if not pyshark_captures.restricts(capture):
        return _of_paths([path], settings)
    wanted = pyshark_captures.passing(capture)

    def again() -> CaptureStream:
        chosen = open_captures(path, settings.capture_gap_ns)
        chosen.only = wanted
        return chosen

    return _read(again(), path, settings, PacketAccess(again))


def _of_many(source: object, settings: Settings) -> Result:
    """An iterable: what its first item is, all must be."""
    if scapy_packets.is_packet(source):
        return _of_packets(scapy_packets.frames, [source], settings)
    if isinstance(source, dict) or not isinstance(source, Iterable):
        raise UsageError(f"analyze() takes {ACCEPTED}, not {_named(source)}")
    things = iter(source)
    head = list(islice(things, 1))
    whole: Iterable[Any] = source if things is not source else chain(head, things)
    if scapy_packets.is_list(source) or (head and scapy_packets.is_packet(head[0])):
        return _of_packets(scapy_packets.frames, whole, settings)
    if head and pyshark_captures.is_packet(head[0]):
        return _of_packets(pyshark_captures.frames, whole, settings)
    if head and not isinstance(head[0], str | PathLike):
        raise UsageError(f"analyze() takes {ACCEPTED}, not {_named(source)} of {_named(head[0])}")
    return _of_paths(list(whole), settings)


def _of_packets(frames: Frames, packets: Iterable[Any], settings: Settings) -> Result:
    def stream() -> ByteStream:
        return FrameBytes(frames(packets), PACKETS)

    source = PacketAccess(partial(_open, stream))
    if iter(packets) is packets:
        source = PacketAccess(None, "they came from an iterator, which is exhausted; pass a list of packets")
    return _read(_open(stream), PACKETS, settings, source)


def _of_segments(frame: Any, settings: Settings) -> Result:
    from analyzer.engine.segments_from_dataframe import segments_of
    from analyzer.segments.predecoded import PredecodedDecoder, PredecodedStream

    _native(settings)
    ready = segments_of(frame)
    names = ready.recording.frame_files.files or [SEGMENTS]
    made = run(PredecodedStream(ready), names, settings, decoder=PredecodedDecoder(ready))
    return result_of(made, PacketAccess(None, "a DataFrame of segments contains none; analyze the capture itself"))


def _read(capture: CaptureStream, name: str, settings: Settings, source: PacketAccess) -> Result:
    with capture:
        _native(settings)
        made: Analysed = run(capture, [name], settings)
    return result_of(made, source)


def _open(stream: Callable[[], ByteStream]) -> CaptureStream:
    return open_stream(stream(), NO_NAME)


def _native(settings: Settings) -> None:
    """tshark is asked about files alone."""
    if settings.engine == "tshark":
        raise UsageError("engine='tshark' reads capture files: give a path")


def _named(thing: object) -> str:
    return harmless(type(thing).__name__)
