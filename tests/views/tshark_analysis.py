"""What tshark's analysis (``tcp.analysis.*``) says of some captures, kept so that tests need no tshark.

``python -m tests.views.tshark_analysis --write`` asks tshark again.
"""

import json
import subprocess
import sys
from pathlib import Path

FLAGS = (
    *("retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order"),
    *("keep_alive", "keep_alive_ack", "zero_window", "zero_window_probe", "zero_window_probe_ack"),
)
ANSWERS = Path(__file__).parent / "tshark_analysis.json"
ROOT = Path(__file__).parents[2]
OWN, CASES, PUBLIC = ROOT / "captures", ROOT.parent / "shared" / "cases", ROOT.parent / "shared" / "captures"
CAPTURES = {
    OWN: (
        *("zero-window-stall.pcap", "zero-window-still-closed.pcap", "keepalive-answered.pcap"),
        *("keepalive-gave-up.pcap", "retransmission-gave-up.pcap", "fin-retransmitted.pcapng"),
        *("data-lost-but-fin-not.pcap", "frames-duplicated-by-mirror.pcap", "frames-slightly-out-of-order.pcap"),
        *("fin-wait-2-expired.pcap", "accept-queue-full.pcap", "large-segment-lost.pcap"),
    ),
    CASES: ("threads/accept-queue-full/cap.pcap", "threads/one-way-lost/cap.pcap"),
    PUBLIC: (
        *("wireshark-wiki/SkypeIRC.cap", "wireshark-wiki/dns-remoteshell.pcap", "wireshark-wiki/provabis.pcap"),
        *("wireshark-wiki/GIF__network_capture.pcap", "ITI-ICS/IEC61850__Sample_File_MMS_and_GOOSE.pcap"),
        *("tcptrace/dsack.dmp.gz", "tcptrace/hardware_dups.dmp.gz", "zeek/pppoe-over-qinq.pcap"),
        *("zeek/mysql__tls-12-amazon-rds.pcap", "suricata-verify/bug-4376__syn_retransmit_with_ts.pcap"),
    ),
}


def asked(path: Path) -> dict[str, list[str]]:
    """tshark's words for each frame that has some."""
    fields = [word for flag in FLAGS for word in ("-e", f"tcp.analysis.{flag}")]
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "occurrence=l", "-e", "frame.number", *fields]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    said = {row[0]: [flag for flag, value in zip(FLAGS, row[1:], strict=False) if value] for row in rows}
    return {frame: flags for frame, flags in said.items() if flags}


def answers() -> dict[str, dict[str, list[str]]]:
    """By capture, by frame."""
    made: dict[str, dict[str, list[str]]] = json.loads(ANSWERS.read_text("utf8"))
    return made


def _write() -> None:
    made = {name: asked(folder / name) for folder, names in CAPTURES.items() for name in names}
    lines = (f"{json.dumps(name)}: {json.dumps(frames)}" for name, frames in made.items())
    ANSWERS.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf8")


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    _write()
