"""The highest rate at which `teardown live` loses no packet, against `tcpdump -w` alone on the same traffic.

    sudo python benchmarks/live_rate.py [SECONDS] [--findings]

Two namespaces, a veth pair between them. One end sends whole connections of ten segments (120 bytes a frame, every
connection with a tuple of its own) as fast as asked, straight into the device; at the other end runs what is
measured. A rate counts as free of loss when the program received every packet sent. Printed for each program and
rate: packets/s really sent, packets lost, and the CPU time of the program and its children from the beginning of the
traffic to the end of the process (the kernel's work for the capture falls on the sender and is not in it). With
``--findings`` every connection has seven segments and ends by a RST of its client, which is a finding (TD301).
"""

import ctypes
import json
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.lab.hosts import Host  # noqa: E402

FRAME, CONVERSATIONS, AT_ONCE = 120, 500, 50
WITH = [word for word in sys.argv if word == "--findings"]
RATES = (25_000, 50_000, 100_000, 200_000, 400_000)
SOL_PACKET, QDISC_BYPASS = 263, 20
# side, flags, seq, ack, payload: a request, an answer, and the server closes first
STORY = (
    (0, 0x02, 0, 0, 0), (1, 0x12, 0, 1, 0), (0, 0x10, 1, 1, 0), (0, 0x18, 1, 1, 66), (1, 0x18, 1, 67, 66),
    (0, 0x10, 67, 67, 0), (1, 0x11, 67, 67, 0), (0, 0x10, 67, 68, 0), (0, 0x11, 67, 68, 0), (1, 0x10, 68, 68, 0),
)  # fmt: skip
ABORTED = (*STORY[:6], (0, 0x14, 67, 67, 0))


def frames(story: tuple[tuple[int, ...], ...]) -> NDArray[np.uint8]:
    """Shape (CONVERSATIONS, segments, FRAME): the same story with different ports, taking turns segment by segment."""
    made = np.zeros((CONVERSATIONS, len(story), FRAME), np.uint8)
    for place, (side, flags, seq, ack, payload) in enumerate(story):
        head = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0]) + (40 + payload).to_bytes(2, "big")
        ends = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
        ip = head + bytes([0, 0, 0x40, 0, 64, 6, 0, 0]) + ends[side] + ends[1 - side]
        tcp = bytes(4) + seq.to_bytes(4, "big") + ack.to_bytes(4, "big") + bytes([0x50, flags, 16, 0, 0, 0, 0, 0])
        made[:, place, :54] = np.frombuffer(ip + tcp, np.uint8)
        ports = np.empty((CONVERSATIONS, 2), ">u2")
        ports[:, side], ports[:, 1 - side] = 20_000 + np.arange(CONVERSATIONS), 80
        made[:, place, 34:38] = ports.view(np.uint8)
    return made


class Message(ctypes.Structure):
    _fields_ = [  # struct mmsghdr
        ("name", ctypes.c_void_p), ("name_size", ctypes.c_uint), ("vector", ctypes.c_void_p),
        ("vectors", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("sent", ctypes.c_uint),
    ]  # fmt: skip


def messages(block: NDArray[np.uint8]) -> "ctypes.Array[Message]":
    """A struct mmsghdr for each frame of ``block``, shape (frames, FRAME)."""
    count = len(block)
    vectors = np.zeros((count, 2), np.uint64)
    vectors[:, 0], vectors[:, 1] = block.ctypes.data + FRAME * np.arange(count), FRAME
    made = (Message * count)()
    for place in range(count):
        made[place].vector, made[place].vectors = vectors.ctypes.data + 16 * place, 1
    made.keep = (vectors, block)
    return made


def send(interface: str, rate: int, seconds: float, story: tuple[tuple[int, ...], ...]) -> int:
    """Send at ``rate`` packets/s for so long; returns how many left."""
    libc = ctypes.CDLL(None)
    block = np.ascontiguousarray(frames(story).transpose(1, 0, 2)).reshape(-1, FRAME)
    client = (block[:, 34].astype(int) << 8 | block[:, 35]) != 80
    ready = messages(block)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as device:
        device.bind((interface, 0x0800))
        device.setsockopt(SOL_PACKET, QDISC_BYPASS, 1)
        sent, turn, begun = 0, 0, time.perf_counter()
        while (now := time.perf_counter() - begun) < seconds:
            if sent > rate * now:
                continue
            place = sent % len(block)
            if place == 0:
                turn += 1
                high, low = np.uint8(turn >> 8 & 255), np.uint8(turn & 255)
                for mask, at in ((client, 27), (~client, 31)):  # a new client address for each round
                    block[mask, at], block[mask, at + 1] = high, low
            address = ctypes.addressof(ready) + place * ctypes.sizeof(Message)
            sent += max(0, libc.sendmmsg(device.fileno(), ctypes.c_void_p(address), AT_ONCE, 0))
    return sent


def run(host: Host, name: str, rate: int, seconds: float, scratch: str) -> dict[str, object]:
    """One measurement."""
    programs = {
        "tcpdump -w": ("tcpdump", "-n", "-Z", "root", "-B", "16384", "-s", "256", "-i", "sink", "-w", scratch, "tcp"),
        "live dumpcap": ("live", "--engine", "dumpcap"),
        "live tcpdump": ("live", "--engine", "tcpdump"),
    }
    command: tuple[str, ...] = programs[name]
    if command[0] == "live":
        command = (sys.executable, "-m", "analyzer.cli", *command, "-i", "sink", "--json")
    process = host.start(*command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    process.stderr.readline()
    wasted = resource.getrusage(resource.RUSAGE_CHILDREN)
    sender = host_of_source.start(
        sys.executable, __file__, "send", str(rate), str(seconds), *WITH, stdout=subprocess.PIPE, text=True
    )
    sent, busy = (float(word) for word in sender.communicate()[0].split())
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = used.ru_utime + used.ru_stime - wasted.ru_utime - wasted.ru_stime - busy
    lost = round(sent) - received(name, out, err)
    return {"program": name, "rate": round(sent / seconds), "lost": lost, "seconds": spent}


def received(name: str, out: bytes, err: bytes) -> int:
    if name.startswith("live"):
        return int(json.loads(out.splitlines()[-1])["packets"])
    found = re.search(rb"(\d+) packets captured", err)
    return int(found[1]) if found else 0


def main(seconds: float) -> None:
    print(f"{'program':<14}{'packets/s':>12}{'lost':>10}{'CPU s':>8}")
    for name in ("tcpdump -w", "live dumpcap", "live tcpdump"):
        for rate in RATES:
            row = run(sink, name, rate, seconds, "/dev/null")
            print(f"{row['program']:<14}{row['rate']:>12,}{row['lost']:>10,}{row['seconds']:>8.2f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        print(send("source", int(sys.argv[2]), float(sys.argv[3]), ABORTED if WITH else STORY), time.process_time())
        sys.exit()
    sink, host_of_source = Host("sink", "td-rate-sink"), Host("source", "td-rate-source")
    try:
        sink.run("ip", "link", "add", "sink", "type", "veth", "peer", "name", "source", "netns", host_of_source.name)
        for place, device in ((sink, "sink"), (host_of_source, "source")):
            place.run("ip", "link", "set", device, "up")
        main(float(sys.argv[1]) if sys.argv[1:2] and sys.argv[1:] != WITH else 5.0)
    finally:
        sink.remove()
        host_of_source.remove()
