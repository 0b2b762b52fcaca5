"""What docs/architecture.md says of the house: the files are there, and a finding is one file."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf8")
RULE = '''"""An endpoint sent a FIN.

## What it sees

A FIN.

## Why it matters

It does not.

## When it is harmless

Always.

## What to do next

Nothing.
"""

from analyzer.findings.rule import Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.signs import Sign

CODE = "TD999"
NAME = "sent-a-fin"
SEVERITY = "info"
SUPERSEDES = ()
THRESHOLDS = ()
NEEDS = (Sign.FIN,)
EXAMPLE = "close-wait-leak.pcap"
NEAR_MISS = "starts-mid-stream.pcap"
MESSAGE = "The {blamed} sent a FIN in frame {frame}."
ADVICE = "Nothing to do for {blamed_ip}."


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    frame = ledger.own("fin_frame")
    return Verdict(fires=frame > 0, when=ledger.own("fin_time"), frames=[frame], values={"frame": frame})
'''
SYN_RULE = RULE.replace("fin_", "syn_").replace("Sign.FIN", "Sign.SYN")  # even a lone SYN shows this
OLDER_RULE = RULE.replace("Sign.FIN", "Sign.OLDER_FLOW")  # reads more than is kept of such flows as things are
ANALYSED = """
import sys
import analyzer
for line in sys.stdin:
    result = analyzer.analyze(line.strip())
    flows = result.flows[result.flows["observability"] != "mixed"]
    made = result.findings[result.findings["code"] == "TD999"]
    print("fired", sorted(map(str, zip(made["stream"].tolist(), made["endpoint"].tolist()))))
    sent = [flows.loc[flows[f"{role}_fin_epoch"].notna(), "stream"].tolist() for role in ("client", "server")]
    ends = [(stream, role) for role, streams in zip(("client", "server"), sent) for stream in streams]
    print("fins", sorted(map(str, ends)))
    print("flows with a SYN", sorted(set(flows.loc[flows["handshake"] != "not-captured", "stream"].tolist())))
    print("streams", sorted(set(made["stream"].tolist())))
    older = result.findings[result.findings["code"] == "TD501"]
    print("older", sorted(set(older["stream"].tolist())))
"""
COLUMNS = """    TableColumn("client_evidence", "number", "How the client is known.", dtype="u1"),
    TableColumn("both_sent", "flag", "Whether both sent anything.", made=lambda rows, _: rows["server_packets"] > 0),
"""
FILLED_IN = """    row["client_evidence"] = f["client_basis"]
"""
TABLES = """
import runpy
from pathlib import Path
import pyarrow.parquet as parquet
from analyzer.engine.pipeline import analyze
from analyzer.settings import Settings
from analyzer.writers.tables import write_analysed
NEW = ["client_evidence", "both_sent"]
analysed = analyze(["captures/close-wait-leak.pcap"], Settings())
flows = analysed.result().flows.iloc[:1]
print([str(kind) for kind in flows[NEW].dtypes], flows[NEW].to_numpy().tolist())
for format in ("csv", "parquet"):
    write_analysed(analysed, Path("out"), format, ["flows"])
lines = open("out/flows.csv").read().splitlines()
print(*[",".join(line.split(",")[-2:]) for line in lines[:2]])
table = parquet.read_table("out/flows.parquet").select(NEW)[:1]
print([str(kind) for kind in table.schema.types], table.to_pylist())
pages = runpy.run_path("docs/make.py")["columns_page"]()
print(next(line for line in pages["columns.md"].splitlines() if "client_evidence" in line))
"""
CAPTURES = sorted(path.name for path in (ROOT / "captures").iterdir() if path.suffix in (".pcap", ".pcapng"))


def copied(folder: Path, rule: str) -> Path:
    """A copy of the program in ``folder``, with one more rule."""
    shutil.copytree(ROOT / "analyzer", folder / "analyzer", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "captures").symlink_to(ROOT / "captures")
    (folder / "analyzer" / "findings" / "rules" / "td999_sent_a_fin.py").write_text(rule)
    return folder


def run(folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, input=given, capture_output=True, text=True, check=False
    )


def told(folder: Path, names: list[str]) -> dict[str, list[str]]:
    """What ANALYSED prints of each capture, by what it is about."""
    done = run(folder, "-c", ANALYSED, given="\n".join(f"captures/{name}" for name in names))
    assert (done.stderr, done.returncode) == ("", 0)
    lines: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        about, rows = line.split(" [", 1)
        lines.setdefault(about, []).append(rows)
    return lines


def test_every_file_that_the_page_names_is_there() -> None:
    """In the text with their folders, in the tree inside the folder of their line."""
    tree = PAGE.split("    analyzer/\n")[1].split("\n\n")[0]
    named = set(re.findall(r"[\w/]+\.py\b", PAGE.replace(tree, "")))
    folder = ""
    for line in tree.splitlines():
        first = line.split()[0]
        if line[6] != " ":
            folder = first if first.endswith("/") else ""
        named |= {f"{folder if '/' not in name else ''}{name}" for name in re.findall(r"[\w/]+\.py\b", line)}
    assert len(named) > 50
    assert sorted(name for name in named if not any((top / name).exists() for top in (ROOT / "analyzer", ROOT))) == []
    shown = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    there = {path.name for path in (ROOT / "analyzer").iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert there <= shown


def test_a_finding_is_one_file(tmp_path: Path) -> None:
    """A rule that fires for every FIN is given every flow with a FIN, the most ordinary ones too."""
    folder = copied(tmp_path, RULE)
    lines = told(folder, CAPTURES)
    assert len(lines["fins"]) == len(CAPTURES) > 50
    assert lines["fired"] == lines["fins"]
    assert sum(line.count("server") for line in lines["fired"]) > 70
    page = run(folder, "-m", "analyzer.cli", "explain", "TD999").stdout
    assert "An endpoint sent a FIN." in page


def test_a_rule_that_asks_for_what_even_a_lone_syn_shows_is_given_all_of_them(tmp_path: Path) -> None:
    lines = told(copied(tmp_path, SYN_RULE), CAPTURES)
    assert lines["streams"] == lines["flows with a SYN"]


def test_a_rule_may_read_all_of_a_flow_on_a_tuple_that_was_in_use(tmp_path: Path) -> None:
    lines = told(copied(tmp_path, OLDER_RULE), ["tuple-reused-in-time-wait.pcapng"])
    assert lines["streams"] == lines["older"] != ["]"]


def test_a_rule_that_asks_for_what_could_never_be_seen_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path, RULE.replace("NEEDS = (Sign.FIN,)", 'NEEDS = ("fin_count",)'))
    done = run(folder, "-m", "analyzer.cli", "analyze", "captures/close-wait-leak.pcap")
    assert (done.stdout, done.returncode) == ("", 2)
    assert "td999_sent_a_fin: NEEDS names 'fin_count', which ordinary flows have too; ask for a sign" in done.stderr


def test_a_column_of_flows_is_its_declaration_and_where_the_tracker_knows_it(tmp_path: Path) -> None:
    copy = tmp_path / "analyzer"
    shutil.copytree(ROOT / "analyzer", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("captures", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    put_in(copy / "tracker" / "flow_record.py", ")\n\nENDING = ", COLUMNS)
    put_in(copy / "tracker" / "ordinary_record.py", '    row["stream"] = ', FILLED_IN)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", TABLES]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    frame, csv, parquet, page = done.stdout.splitlines()
    assert frame == "['Int64', 'bool'] [[2, True]]"
    assert csv == "client_evidence,both_sent 2,true"
    assert parquet == "['int64', 'bool'] [{'client_evidence': 2, 'both_sent': True}]"
    assert page == "| `client_evidence` | whole number or none | How the client is known. |"


def put_in(path: Path, before: str, text: str) -> None:
    """Put a text into a file."""
    source = path.read_text("utf8")
    assert source.count(before) == 1
    path.write_text(source.replace(before, text + before), "utf8")
