"""Every rule file keeps the form, and its example fires it while its near miss stays quiet."""

import ast
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import analyzer
from analyzer.capture.frame_files import FrameFiles
from analyzer.capture.gaps import Gap, Gaps
from analyzer.capture.recording import Recording
from analyzer.errors import UsageError
from analyzer.findings import engine, explain, facts, finding_columns, ledger_view, rules
from analyzer.findings.ledger_view import LedgerView
from analyzer.findings.loading import suffice
from analyzer.findings.rule import HEADINGS, Rule
from analyzer.settings import Settings
from analyzer.tracker import ledger_record, outcome
from analyzer.tracker.ledger import ENDPOINT
from analyzer.tracker.storage.transpose import OF_OTHER
from analyzer.vocabulary import SEVERITIES
from captures.sets import files_of
from tests.findings.books import leaking_server, ledger, no_flows, sentences

ROOT = Path(__file__).parents[2]
UNTOLD = {*(ENDPOINT.names or ())} - {*OF_OTHER.ends, "_"}  # the last is padding
FOLDER = ROOT / "analyzer" / "findings" / "rules"
FINDINGS = sorted(path for path in FOLDER.parent.rglob("*.py") if path.name != "wording.py")  # which fills them in
FIELD = re.compile(r"\{[A-Za-z_]")
FORM = [
    *("CODE", "NAME", "SEVERITY", "SUPERSEDES", "THRESHOLDS", "NEEDS"),
    *("EXAMPLE", "NEAR_MISS", "MESSAGE", "ADVICE"),
]
each_rule = pytest.mark.parametrize("rule", rules().values(), ids=list(rules()))


def source(rule: Rule) -> Path:
    return FOLDER / f"{rule.code}_{rule.name}.py".lower().replace("-", "_")


@cache
def codes_in(capture: str, settings: tuple[tuple[str, int], ...] = ()) -> set[str]:
    return set(analyzer.analyze(files_of(capture), **dict(settings)).findings["code"])  # type: ignore[arg-type]


@each_rule
def test_a_rule_is_one_file_in_the_fixed_form(rule: Rule) -> None:
    tree = ast.parse(source(rule).read_text())
    named = [
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ]
    assert [name for name in named if name in FORM] == FORM
    assert re.findall(r"^## (.+)$", rule.page, re.MULTILINE) == list(HEADINGS)
    assert rule.severity in SEVERITIES
    assert rule.title.endswith(".")


def test_every_file_is_a_rule() -> None:
    assert {source(rule).name for rule in rules().values()} | {"__init__.py"} == {
        path.name for path in FOLDER.glob("*.py")
    }


@each_rule
def test_no_rule_loops_over_flows(rule: Rule) -> None:
    """A ``for`` statement has no place in a rule; comprehensions run over crowds or kinds, never over flows."""
    assert not [node for node in ast.walk(ast.parse(source(rule).read_text())) if isinstance(node, ast.For | ast.While)]


@each_rule
def test_what_it_supersedes_is_known_and_never_in_a_circle(rule: Rule) -> None:
    for code in rule.supersedes:
        assert rule.code not in rules()[code].supersedes


@each_rule
def test_its_thresholds_are_settings_and_named_in_the_message(rule: Rule) -> None:
    assert set(rule.thresholds) <= set(Settings.__dataclass_fields__)
    if rule.thresholds and rule.code != "TD102":
        assert rule.thresholds[0].removesuffix("_ns") in rule.message


@each_rule
def test_its_advice_names_a_suspect_and_the_next_command(rule: Rule) -> None:
    assert re.search(r"[Ss]uspect|ended too early|scan or a health check|often normal", rule.advice, re.IGNORECASE)
    assert "Next" in rule.advice
    text = f"{rule.page} {rule.advice} {rule.message}"
    assert "tw_recycle" not in text
    assert "raise tcp_fin_timeout" not in text


def interrupted() -> Recording:
    """Two files, and a gap between them."""
    made = Recording(FrameFiles(["a.pcap", "b.pcap"], several=True), Gaps())
    made.frame_files.add(np.array([0, 1]), np.array([5, 5]))
    made.frame_files.settle()
    made.gaps.add(Gap(10**9, 9 * 10**9, 5, 6))
    return made


@each_rule
def test_its_templates_use_only_fields_that_exist(rule: Rule) -> None:
    """Filling them raises KeyError for a field that nobody provides."""
    made = ledger(leaking_server(), copies=12)
    given = interrupted() if rule.of_capture else no_flows() if rule.of_all_flows else LedgerView(made, np.arange(12))
    verdict = rule.judge(given, Settings())
    assert verdict is not None
    values = {f"= {name}": np.zeros(1, np.int64) for name in verdict.values}
    ends = {f"{role}_{what}": np.zeros(1, np.int64) for role in ("client", "server") for what in ("ip", "port")}
    given = values | ends | {name: np.zeros(1, np.int64) for name in ("blamed", "stream")}
    for template in (rule.message, rule.advice):
        assert sentences(template, given, rule=rule, bare=True)[0]


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_only_templates_have_fields(path: Path) -> None:
    """In the words of a value, such as those of a ``phrase``, nobody fills them in: they would be read with braces."""
    tree = ast.parse(path.read_text())
    templates = {
        id(inner)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith(("MESSAGE", "ADVICE"))
        for inner in ast.walk(node)
    }
    words = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in templates]
    assert not [node.value for node in words if isinstance(node.value, str) and FIELD.search(node.value)]


@each_rule
def test_all_that_it_reads_is_kept(rule: Rule) -> None:
    if not rule.of_capture and not rule.of_all_flows:  # what these read is tried by the test before
        assert rule.needs.signs
        assert suffice(rule, OF_OTHER)


@each_rule
def test_what_it_names_of_the_ledger_is_there_for_it(rule: Rule) -> None:
    """Also in cases that no capture shows: columns that only the tracker uses are not handed on."""
    words = {node.value for node in ast.walk(ast.parse(source(rule).read_text())) if isinstance(node, ast.Constant)}
    assert not words & UNTOLD


@pytest.mark.parametrize("module", [outcome, ledger_record, ledger_view, facts, engine, finding_columns])
def test_what_is_asked_for_all_rules_is_there(module: ModuleType) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())
    assert not {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} & UNTOLD


@each_rule
def test_its_example_fires_it_and_its_near_miss_does_not(rule: Rule) -> None:
    settings = tuple(rule.example_settings.items())
    assert rule.code in codes_in(rule.example, settings)
    assert rule.code not in codes_in(rule.near_miss, settings)


def test_a_page_is_found_by_code_in_any_case_and_by_name() -> None:
    assert explain("td101") == explain("TD101") == explain("close-wait-leak")
    assert explain("TD101").startswith("# TD101 close-wait-leak\n")
    assert "--close-wait-leak" in explain("TD101")


def test_an_unknown_code_is_a_usage_error_that_names_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"explain --list|did you mean"):
        explain("TD000")
