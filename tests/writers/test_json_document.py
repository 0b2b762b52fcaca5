"""The JSON document for scripts."""

import json

from analyzer.results.overview import Overview
from analyzer.results.pandas_types import empty
from analyzer.results.result import ResultTables
from analyzer.results.schema import FINDINGS, TABLES
from analyzer.results.source_summary import Summary
from analyzer.writers.json_document import json_document
from tests.results.listings import listing
from tests.results.sample import sample_result


def test_the_document_holds_the_summary_and_every_finding() -> None:
    text = "".join(json_document(sample_result()))
    assert text.isascii()
    document = json.loads(text)
    assert document["flows"] == 4
    assert document["endings"]["reset"] == {"flows": 1, "client": 0, "server": 1, "both": 0, "nobody": 0}
    assert document["servers"][0]["server_port"] == 8080
    assert document["servers"][0]["by_rst"] == 1
    assert document["capture"]["first_epoch"] == "1700000000.123456789"
    assert document["capture"]["not_understood"] == {"not IP (ARP, LLDP, ...)": 2}
    assert document["cannot_judge"][0]["code"] == "TD101"
    assert document["notices"] == ["ring.pcapng ends in the middle of packet 41 (byte 123450)"]


def test_findings_have_the_fields_of_the_table() -> None:
    refused, late = json.loads("".join(json_document(sample_result())))["findings"]
    assert list(late) == [column.name for column in FINDINGS]
    assert late["stream"] == 7
    assert late["frames"] == [5, 7, 8]
    assert late["time_epoch"] == "1700000063.423496789"
    assert refused["endpoint"] is None


def test_nothing_found_is_still_a_document() -> None:
    nothing = ResultTables(*(empty(name) for name in list(TABLES)[:3]), Summary(), Overview(), listing([]))
    document = json.loads("".join(json_document(nothing)))
    assert (document["flows"], document["findings"], document["endings"]) == (0, [], {})
