"""What is found in each capture is what was reviewed: code, endpoint, time, frames, confidence and message."""

from pathlib import Path

import pytest

from tests.captures import OWN
from tests.golden import changes, golden_file, main


@pytest.mark.parametrize("capture", OWN, ids=lambda path: path.name)
def test_what_is_found_is_what_was_reviewed(capture: Path) -> None:
    different = "\n".join(changes(capture))
    assert not different, f"\n{different}\npython -m tests.golden --write, and review what it shows"


def test_every_capture_was_reviewed_and_nothing_else() -> None:
    files = set((OWN[0].parent).glob("*.findings.txt"))
    assert files == {golden_file(capture) for capture in OWN}


def test_what_has_changed_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["golden", "close-wait-leak"])
    monkeypatch.setattr("tests.golden.written", lambda capture: "TD101, error, low, stream 0\n    It is.\n")
    assert main() == 1
    out = capsys.readouterr().out
    assert "-TD101, error, low, stream 0" in out
    assert "+TD101, error, high, stream 0, server 10.1.2.2 port 8080" in out
