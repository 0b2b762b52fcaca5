"""What Jupyter shows of a result: the summary, with everything escaped that a capture or a file name may hold."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

import analyzer
from analyzer.errors import Notice
from tests.captures import own
from tests.objects.tables import LATE_FIN, LEAK

VOID = ("br",)
KNOWN = {"div", "p", "b", "br", "table", "thead", "tbody", "tr", "th", "td", "span", "ul", "li", "code"}


class Page(HTMLParser):
    """The tags of a page, which must be closed as they were opened; and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert {name for name, _ in attrs} <= {"style"}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.mark.parametrize("path", own())
def test_it_is_whole_and_has_every_code(path: Path) -> None:
    result = analyzer.analyze(path)
    page = Page(result._repr_html_())
    assert page.seen <= KNOWN
    assert all(code in page.text for code in set(result.findings["code"]))


def test_it_says_what_the_summary_says() -> None:
    text = Page(analyzer.analyze(LATE_FIN)._repr_html_()).text
    assert "11 packets, 11 TCP segments, 1 connection, Ethernet" in text
    assert "acknowledged the server's FIN (frame 8) in frame 9" in text
    assert "10.1.2.2:8080" in text


def test_what_others_chose_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "<script>alert(1)</script>\x1b[31m&.pcap"
    path.parent.mkdir(parents=True, exist_ok=True)
    hostile = "<img src=x onerror=alert(1)>\x1b[31m"
    result = analyzer.analyze(LEAK)
    result.summary.files[0] = str(path)
    result.summary.link_types[0] = hostile
    result.summary.notices.append(Notice(hostile))
    result.summary.not_understood[hostile] = 3
    shown = result._repr_html_()
    assert Page(shown).seen <= KNOWN
    assert "<img" not in shown
    assert "<script" not in shown
    assert "\x1b" not in shown
    assert shown.count("&lt;img") == 3


def test_nothing_is_shown_as_nothing() -> None:
    from scapy.plist import PacketList

    assert "The capture contains no TCP connection." in Page(analyzer.analyze(PacketList([]))._repr_html_()).text


def test_of_much_a_part_is_shown() -> None:
    result = analyzer.analyze(LEAK)
    result.summary.notices += [Notice(f"notice {number}") for number in range(10)]
    assert "5 more in" in Page(result._repr_html_()).text
