"""The three tables of a result as text, to be compared byte by byte; and captures to try."""

import shlex
from pathlib import Path

from analyzer import Result

CAPTURES = Path(__file__).parents[2] / "captures"
LATE_FIN = CAPTURES / "late-fin-answered-by-rst.pcapng"
LEAK = CAPTURES / "close-wait-leak.pcap"
REJECTED = CAPTURES / "connection-attempt-rejected.pcap"  # an ICMP error quotes its SYN
TABLES = ("flows", "timeline", "findings")


def tables(result: Result, capture: Path | None = None) -> list[str]:
    """flows, timeline and findings; commands that name ``capture`` say CAPTURE, as where it has no name."""
    texts = [getattr(result, name).to_csv(index=False) for name in TABLES]
    return [text.replace(shlex.quote(str(capture)), "CAPTURE") for text in texts] if capture else texts
