"""The filter box: the words of the command line, and what says by itself what it is."""

import pytest

from analyzer.browse.filter_box import read_box
from analyzer.errors import UsageError
from analyzer.results.flow_selection import ListOrder
from analyzer.settings import Settings
from analyzer.views.flow_list import FlowListing

SETTINGS = Settings(close_wait_leak_ns=7)


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("", {}),
        ("10.0.0.7", {"host": "10.0.0.7"}),
        ("10.0.0.0/8, fd00::1", {"host": "10.0.0.0/8, fd00::1"}),
        ("10.0.0.7:443", {"host": "10.0.0.7", "port": "443"}),
        ("[fd00::1]:443", {"host": "fd00::1", "port": "443"}),
        ("td101,TD305", {"code": "td101,TD305"}),
        ("reset, half-closed", {"ending": "reset, half-closed"}),
        ("duration_s > 5 and closed_by == 'client'", {"where": "duration_s > 5 and closed_by == 'client'"}),
        ("--host 10.0.0.7 --port=443", {"host": "10.0.0.7", "port": "443"}),
        ("--where closed_by == 'client' --code TD101", {"where": "closed_by == 'client'", "code": "TD101"}),
        ("""--where "closed_by == 'client'" """, {"where": "closed_by == 'client'"}),
        ("--between 14:05 14:10 --stream 3,7-9", {"between": ("14:05", "14:10"), "stream": "3,7-9"}),
        ("findings != '' --port 80", {"where": "findings != ''", "port": "80"}),
        ('closed_by == "client"', {"where": 'closed_by == "client"'}),
        ("10.0.0.7 --ending open", {"host": "10.0.0.7", "ending": "open"}),
    ],
)
def test_what_is_typed_is_what_the_command_line_takes(text: str, filters: dict[str, object]) -> None:
    words = read_box(text, SETTINGS)
    assert words.settings == Settings(close_wait_leak_ns=7, **filters)  # type: ignore[arg-type]
    assert read_box(words.text, SETTINGS) == words


def test_an_expression_is_quoted_as_people_do() -> None:
    assert read_box("findings != ''", SETTINGS).text == """--where "findings != ''\""""


def test_how_the_list_is_sorted_and_which_columns_it_has() -> None:
    words = read_box("duration_s > 5 --sort -duration_s --columns stream,history", SETTINGS)
    assert words.listing == FlowListing(ListOrder("duration_s", True), ("stream", "history"))
    assert read_box(words.text, SETTINGS) == words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("duration > 5", "did you mean duration_s\\? There are stream, client_ip"),
        ("google", "flows has no column google. There are stream"),
        ("--hots 10.0.0.7", "no --hots here; there are --host, --port"),
        ("--host", "--host takes ADDRESSES"),
        ("--host 10.0.0.999", "--host takes ADDRESS"),
        ("--between 14:05", "--between takes FROM TO"),
        ("--code TD999", "no finding TD999"),
        ("--ending gone", "no ending gone; there are graceful"),
        ("10.0.0.7 --port 80 --host 10.0.0.8", "--host is given more than once"),
        ("--host '10", "No closing quotation"),
        ("443", "write --port 443 or --stream 443"),
        ("--sort bytes", "flows has no column bytes"),
        ("__import__('os')", "--where"),
    ],
)
def test_what_means_nothing_is_answered(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_box(text, SETTINGS)
