"""What two taps say of RSTs that only the farther one has, and of packets that the captures report as lost."""

import re

from analyzer.results.taps.compared import TapsComparison
from analyzer.results.taps.crossing import Missing
from analyzer.results.taps.resets import reset_signs
from analyzer.units import counted

REPORT = re.compile(r"the capture reports ([\d,]+) packets? lost")


def reported(result: TapsComparison, name: str) -> str:
    """That a capture itself reports losses, to be put behind a statement; empty where it reports none."""
    tap = result.a if name == "A" else result.b
    lost = [
        int(said[1].replace(",", ""))
        for notice in tap.analysed.summary.notices
        for said in REPORT.finditer(notice.text)
    ]
    return f" ({name} reports {counted(sum(lost), 'packet')} dropped)" if lost else ""


def reset_text(result: TapsComparison, one: Missing) -> str:
    """Who may have sent RSTs that the tap nearer to their sender lacks, why, and how sure that is."""
    other = "B" if one.tap == "A" else "A"
    signs = reset_signs(result.common.a if one.tap == "A" else result.common.b, one.sender, one.frames)
    facts = []
    if signs.other_ttl:
        facts.append(
            f"TTL {_listed(signs.ttls)} at {one.tap} differs from {_listed(signs.usual)} of that host's other segments"
        )
    if signs.later:
        facts.append(f"{counted(signs.later, 'segment')} without RST of that host passed {one.tap} after it")
    near = f"{other} is nearer to that host"
    missed = reported(result, other)
    if facts:
        return (
            f"{near}. {'; '.join(facts)}: a device between A and B most likely sent it in its name "
            f"(confidence {signs.confidence}{missed and ';' + missed.replace('(', '').replace(')', '')})."
        )
    if one.ended:
        return f"{other}'s last segment came before: its capture may have been stopped by then."
    return (
        f"{near}: its capture missed this frame{missed}, or a device between sent it in that host's name. "
        "Neither TTL nor later segments tell which."
    )


def _listed(ttls: tuple[int, ...]) -> str:
    return " or ".join(map(str, ttls))
