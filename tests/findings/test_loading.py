"""Rule files that could never see what they ask for, or lack something, are refused with a line that says why."""

from types import ModuleType

import numpy as np
import pytest

from analyzer.errors import UnusableRule
from analyzer.findings import loading
from analyzer.findings.engine import answer
from analyzer.findings.ledger_view import LedgerView
from analyzer.findings.loading import asked, read, rules, suffice
from analyzer.findings.needs import Needs
from analyzer.findings.rule import SETTLE
from analyzer.flows.row import FLOW
from analyzer.settings import Settings
from analyzer.tracker.ledger import OLDER, UNUSUAL
from analyzer.tracker.signs import Sign
from analyzer.tracker.storage.transpose import OF_OTHER, OF_REUSED, LedgerColumns, TransposedLedger

RULE = '''"""An endpoint sent a FIN."""

from analyzer.capture.recording import Recording
from analyzer.findings.all_flows import AllFlows
from analyzer.findings.rule import Crowd, OfCapture, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD999"
NAME = "sent-a-fin"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = (Sign.FIN,)
EXAMPLE = NEAR_MISS = MESSAGE = ADVICE = ""


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    return Verdict(fires=ledger.own("fin_count") > 0, when=ledger.own("fin_time"), frames=[ledger.own("fin_frame")])
'''
NEEDS = "NEEDS = (Sign.FIN,)"
ANSWER = ") -> Verdict:"
GIVEN = "judge(ledger: Ledger"
CLOSE_WAIT = "NEEDS = (Sign.LEFT_IN_CLOSE_WAIT,)"


def rule_file(*changes: tuple[str, str]) -> ModuleType:
    text = RULE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    module = ModuleType("analyzer.findings.rules.td999_sent_a_fin")
    exec(text, module.__dict__)
    return module


def test_a_rule_that_asks_for_what_there_is_is_taken() -> None:
    rule = read(rule_file())
    assert rule.needs == Needs(Sign.FIN, Sign.FIN, ())
    assert (rule.live_wait, rule.of_flows) == (SETTLE, True)
    mixed = read(rule_file((NEEDS, 'NEEDS = (Sign.FIN, "rst_count", "old_seen")')))
    assert mixed.needs == Needs(Sign.FIN | Sign.UNUSUAL | Sign.OLDER_FLOW, Sign.FIN, ("rst_count", "old_seen"))
    crowd = read(rule_file((NEEDS, CLOSE_WAIT), (ANSWER, ") -> Crowd:")))
    assert crowd.crowd and not crowd.of_flows
    assert not crowd.of_all_flows
    of_all = read(rule_file((NEEDS, "NEEDS = ()"), (GIVEN, "judge(flows: AllFlows"), (ANSWER, ") -> Crowd:")))
    assert of_all.of_all_flows and of_all.crowd and not of_all.of_flows and not of_all.needs.signs
    of_capture = read(rule_file((NEEDS, 'NEEDS = ()\nABOUT = "capture"'), (ANSWER, ") -> OfCapture | None:")))
    assert of_capture.of_capture and not of_capture.needs.signs


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([(NEEDS, "NEEDS = ()")], "NEEDS must be a tuple of signs and columns of the ledger, one at least"),
        ([(NEEDS, "NEEDS = Sign.FIN")], "NEEDS must be a tuple"),
        ([(NEEDS, 'NEEDS = ("rst_count")')], "NEEDS must be a tuple"),
        ([(NEEDS, "NEEDS = (Sign.FIN & Sign.SYN,)")], "a sign that is none"),
        ([(NEEDS, "NEEDS = (Sign(1 << 40),)")], "a sign that is none"),
        ([('"TD999"', "999")], "CODE must be TD and a number"),
        ([("SUPERSEDES = ()", 'INFO_WHEN = "now"\nSUPERSEDES = ()')], "INFO_WHEN must be words"),
        ([("SUPERSEDES = ()", 'SUPERSEDES = "TD101"')], "SUPERSEDES must be a tuple of words"),
        ([("THRESHOLDS = ()", "THRESHOLDS = None")], "THRESHOLDS must be a tuple of words"),
        ([(NEEDS, 'NEEDS = ("rst_cuont",)')], "'rst_cuont', which is neither a sign nor a column"),
        ([(NEEDS, "NEEDS = (16,)")], "16, which is neither a sign nor a column"),
        (
            [(NEEDS, 'NEEDS = ("fin_count",)')],
            "'fin_count', which ordinary flows have too; ask for a sign: SEGM",
        ),
        ([(NEEDS, 'NEEDS = ("fin_last_frame",)')], "'fin_last_frame', which ordinary flows have too"),
        ([(NEEDS, 'NEEDS = ("rst_nxt",)')], "'rst_nxt', which the tracker keeps to itself"),
        ([(NEEDS, 'NEEDS = ("next_free",)')], "'next_free', which the tracker keeps to itself"),
        ([(ANSWER, ") -> Crowd:")], "is given the flows left in CLOSE_WAIT, no others"),
        ([(GIVEN, "judge(flows: AllFlows"), (ANSWER, ") -> Crowd:")], "its NEEDS must be ()"),
        ([(GIVEN, "judge(flows: AllFlows"), (NEEDS, "NEEDS = ()")], "a rule about all flows answers with Crowd"),
        ([(ANSWER, ") -> OfCapture | None:")], "is given no flows"),
        ([(ANSWER, "):")], "judge must be declared to return"),
        ([(NEEDS, "")], "a rule needs NEEDS"),
        ([("def judge", "def decide")], "a rule needs judge"),
        ([('SEVERITY = "info"', 'SEVERITY = "grave"')], "SEVERITY must be one of error, warning, info"),
        ([("THRESHOLDS = ()", 'THRESHOLDS = ("slow_close",)')], "THRESHOLDS names slow_close, which is no setting"),
        ([(NEEDS, f'{NEEDS}\nABOUT = "weather"')], "ABOUT must be connection or capture"),
        ([(NEEDS, "NEEDS = ()"), (ANSWER, ") -> OfCapture | None:")], "capture if judge is given the recording"),
        ([(NEEDS, f"{NEEDS}\nLIVE_WAIT = -5")], "LIVE_WAIT must be nanoseconds or AT_THE_END"),
        ([(NEEDS, f"{NEEDS}\nLIVE_WAIT = True")], "LIVE_WAIT must be nanoseconds or AT_THE_END"),
        ([(NEEDS, f"{NEEDS}\nLIVE_WAIT = 0.5")], "LIVE_WAIT must be nanoseconds or AT_THE_END"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(changes: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(UnusableRule) as refused:
        read(rule_file(*changes))
    assert str(refused.value).startswith("td999_sent_a_fin: ")
    assert says in str(refused.value)


def test_a_rule_is_about_the_connection_unless_its_file_says_otherwise() -> None:
    assert not read(rule_file()).about_capture
    assert read(rule_file((NEEDS, f'{NEEDS}\nABOUT = "capture"'))).about_capture


@pytest.mark.parametrize("fault", ["import nothing_of_this_name", "judge = 3", 'MESSAGE = "{"', "NEEDS = Sign.NOPE"])
def test_whatever_is_wrong_with_a_rule_file_is_one_line(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading.importlib, "import_module", lambda name: wrong(fault))
    with pytest.raises(UnusableRule, match=r"^td999_wrong: this rule cannot be loaded: "):
        loading._loaded("td999_wrong")


def wrong(fault: str) -> ModuleType:
    module = rule_file()
    exec(fault, module.__dict__)
    return module


def test_a_rule_that_reads_what_is_not_kept_is_named() -> None:
    """So is one that answers otherwise than it declares."""
    changed = [('ledger.own("fin_count") > 0', 'ledger.own("bytes") > 0'), ("return Verdict(", "return dict(")]
    for change, says in zip(changed, ("judge reads 'bytes', which is not kept", "answers with dict"), strict=True):
        rule = read(rule_file(change))
        chosen = LedgerColumns(
            OF_OTHER,
            np.zeros((len(OF_OTHER.ends), 2, 1), np.int64),
            np.zeros((len(OF_OTHER.flows), 1), np.int64),
            np.array([int(Sign.FIN)]),
        )
        view = LedgerView(TransposedLedger(chosen, np.zeros(1, FLOW), 0), np.arange(1))
        with pytest.raises(UnusableRule, match=f"TD999 sent-a-fin: .*{says}"):
            answer(rule, view, Settings())


def test_every_column_that_may_be_a_need_is_kept_for_the_rules() -> None:
    """And is 0 of a flow without its sign: the tracker's rows of those columns are only there with it."""
    for name in (*(UNUSUAL.names or ()), *(OLDER.names or ())):
        try:
            rule = read(rule_file((NEEDS, f'NEEDS = ("{name}",)')))
        except UnusableRule:
            continue
        assert name in {**OF_OTHER.ends, **OF_OTHER.flows}
        assert rule.needs.signs in (Sign.UNUSUAL, Sign.OLDER_FLOW)


def test_the_rules_ask_for_no_sign_that_ordinary_flows_show() -> None:
    """If one does, the program is much slower: then this test says so."""
    broad = Sign.SEGMENT | Sign.SYN | Sign.HANDSHAKE | Sign.DATA | Sign.FIN | Sign.CLOSE_WAIT
    assert not asked().signs & broad
    assert asked().few_columns_enough == Sign.OLDER_FLOW


def test_few_columns_are_kept_of_tuples_in_use_only_if_they_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all columns are kept: no rule is without what it reads."""
    curious = read(rule_file((NEEDS, "NEEDS = (Sign.OLDER_FLOW,)")))
    assert suffice(curious, OF_OTHER) and not suffice(curious, OF_REUSED)
    monkeypatch.setattr(loading, "rules", lambda: {**rules(), curious.code: curious})
    assert asked.__wrapped__().few_columns_enough == 0
