"""Commands that findings advise, as they are pasted: tools take them, and they ask for the family of their connection.

Each capture is told as it is and, rewritten, over IPv6. Of commands that differ in numbers only, one is tried.
"""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import analyzer
from analyzer.findings.loading import rules
from tests.captures import OWN
from tests.test_rewritten import IP, file_with

TOOLS = ("tshark", "tcpdump", "ss", "capinfos", "reordercap", "editcap", "bash")
needs_tools = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"not all of these are installed: {', '.join(TOOLS)}"
)
COMMAND = re.compile(
    r"(?<=: )(?:tshark|tcpdump|ss|nstat|strace|capinfos|reordercap|editcap|nft|ip|conntrack|sysctl|ping|tracepath) .*"
)
LEFT_TO_READER = re.compile(r"[<{][a-z_ ]+[>}]|\.\.\.|CAPTURE")
OF_IPV4 = re.compile(
    r"\bip\.(?:src|dst|ttl|id|addr)\b|\btcp\[|-call-iptables|conntrack -L (?!-f ipv6)"
)  # on IPv6 they find nothing
OF_IPV6 = re.compile(r"\bipv6\.|\bip6\[|-f ipv6|-call-ip6tables")
TCPDUMP = re.compile(r"tcpdump [^']*'([^']*)'")
SOCKETS = re.compile(r"(?<![\w-])ss -[^;|]*")
BLOCK = bytes.fromhex("20010db8") + bytes(8)


class Advised(NamedTuple):
    """A command and the code of the finding that advises it."""

    code: str
    command: str

    @property
    def kind(self) -> str:
        return f"{self.code} {re.sub(r'[0-9a-f:.]+', '0', self.command)}"


def over_ipv6(frame: bytearray) -> None:
    """The same TCP segment in a packet of IPv6, without options."""
    header = 4 * (frame[IP] & 15)
    length = int.from_bytes(frame[IP + 2 : IP + 4], "big") - header
    start = bytes.fromhex("60000000") + length.to_bytes(2, "big") + bytes([6, frame[IP + 8]])
    ends = [BLOCK + bytes(frame[place : place + 4]) for place in (IP + 12, IP + 16)]
    frame[IP - 2 : IP + header] = b"\x86\xdd" + start + ends[0] + ends[1]


@cache
def advised(path: Path) -> list[Advised]:
    """One command of each kind that is advised of a capture, with the settings with which it is an example."""
    settings = [rule.example_settings for rule in rules().values() if Path(rule.example).stem == path.stem]
    found: dict[str, Advised] = {}
    for row in analyzer.analyze(path, **(dict(settings[0]) if settings else {})).findings.to_dict("records"):
        command = COMMAND.search(str(row["advice"]))
        assert command, row["advice"]
        assert not LEFT_TO_READER.search(row["advice"]), row["advice"]
        one = Advised(str(row["code"]), command[0])
        found.setdefault(one.kind, one)
    return list(found.values())


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Advised]]:
    """One command of each kind, by the family of its connection."""
    folder = tmp_path_factory.mktemp("ipv6")
    kinds: dict[str, dict[str, Advised]] = {"IPv4": {}, "IPv6": {}}
    for path in OWN:
        for one in advised(path):
            kinds["IPv6" if "ipv6" in path.stem else "IPv4"].setdefault(one.kind, one)
        for one in advised(file_with(path, over_ipv6, folder)):
            kinds["IPv6"].setdefault(one.kind, one)
    return {family: list(found.values()) for family, found in kinds.items()}


def test_family(both: dict[str, list[Advised]]) -> None:
    """A command about IPv6 names no field of IPv4, and the other way round; nearly every code is told of both."""
    codes = {family: {one.code for one in found} for family, found in both.items()}
    assert not {code for code, rule in rules().items() if not rule.of_capture} - codes["IPv4"]
    assert codes["IPv4"] == codes["IPv6"], codes["IPv4"] ^ codes["IPv6"]
    assert not [one for one in both["IPv6"] if OF_IPV4.search(one.command)]
    assert not [one for one in both["IPv4"] if OF_IPV6.search(one.command)]


@needs_tools
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_captures_are_read(both: dict[str, list[Advised]], family: str) -> None:
    """What reads the capture finds something there, and no column is empty."""
    for one in both[family]:
        if not one.command.startswith(("tshark", "capinfos", "reordercap", "editcap")):
            continue
        command = re.sub(r" (?:sorted|once)\.pcapng$", " /dev/null", one.command)
        run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0 and run.stdout + run.stderr, one
        if " -e " in command and "uniq" not in command:
            assert all(cell for line in run.stdout.splitlines() for cell in line.split("\t")), (one, run.stdout)


@needs_tools
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_filters_of_tcpdump(both: dict[str, list[Advised]], family: str) -> None:
    filters = {match[1] for one in both[family] for match in TCPDUMP.finditer(one.command)}
    assert len(filters) > 3
    for one in filters:
        run = subprocess.run(["tcpdump", "-y", "EN10MB", "-d", one], capture_output=True, text=True, check=False)
        assert run.returncode == 0 and "ret      #0" not in run.stdout.splitlines()[0], (one, run.stderr)


@needs_tools
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_filters_of_ss(both: dict[str, list[Advised]], family: str) -> None:
    filters = {match[0] for one in both[family] for match in SOCKETS.finditer(one.command)}
    assert len(filters) > 10
    for one in filters:
        run = subprocess.run(["bash", "-c", one], capture_output=True, text=True, check=False)
        assert run.returncode == 0 and not run.stderr, (one, run.stderr)


@needs_tools
def test_whoever_counts_leaves_out_the_heading(both: dict[str, list[Advised]]) -> None:
    for one in both["IPv4"] + both["IPv6"]:
        assert not re.search(r"\bss -(?!\w*H)[^;|]*\| wc", one.command), one


@needs_tools
def test_bash_takes_them(both: dict[str, list[Advised]]) -> None:
    """They are whole, with every quote closed; brackets stand in quotes, or another shell looks for files."""
    for one in both["IPv4"] + both["IPv6"]:
        run = subprocess.run(["bash", "-n", "-c", one.command], capture_output=True, text=True, check=False)
        assert run.returncode == 0 and not run.stderr, (one, run.stderr)
        assert "[" not in re.sub(r"'[^']*'", "", one.command), one
