"""The predicates about all connections: also of findings that our captures show with other settings only, and what they
refute."""

from typing import Any

import pytest

from analyzer.findings import rules
from analyzer.settings import settings_of
from captures.sets import files_of
from tests.second_opinion.capture import Capture, read
from tests.second_opinion.opinion import FOLLOWS, REFUTED, opinion


def fired(code: str, **settings: int) -> tuple[Capture, dict[str, Any]]:
    """The finding of a code on its example."""
    rule = rules()[code]
    (path,) = files_of(rule.example)
    capture = read(path, settings_of(keep_segments=True, **(dict(rule.example_settings) | settings)))
    (finding,) = [row for row in capture.findings if row["code"] == code]
    return capture, finding


@pytest.mark.parametrize("code", [code for code, rule in rules().items() if rule.of_all_flows])
def test_it_follows_from_the_packets(code: str) -> None:
    told = opinion(*fired(code))
    assert (told.answer, told.reason) == (FOLLOWS, "")


@pytest.mark.parametrize(
    ("code", "said", "instead"),
    [
        ("TD316", "50 SYNs", "49 SYNs"),
        ("TD316", "from 50 addresses", "from 12 addresses"),
        ("TD316", "at least 50 were", "at least 51 were"),
        ("TD316", "It completed no other connection meanwhile", "It completed 1 other meanwhile"),
        ("TD317", "refused 12", "sent no segment in answer to 12"),
        ("TD317", "refused 12", "refused 11"),
        ("TD317", "took none meanwhile", "took 1 meanwhile"),
        ("TD317", "of 1 client ", "of 2 clients "),
        ("TD504", "27 of its ports", "28 of its ports"),
        ("TD504", "90 % of", "91 % of"),
        ("TD504", "(threshold 80 %)", "(threshold 80 %); until then the number grew by 900 per minute"),
    ],
)
def test_what_is_not_so_is_refuted(code: str, said: str, instead: str) -> None:
    capture, finding = fired(code)
    assert said in finding["message"]
    assert opinion(capture, finding | {"message": finding["message"].replace(said, instead)}).answer == REFUTED
