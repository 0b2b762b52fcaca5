"""``teardown analyze --html``."""

import subprocess
import sys
from pathlib import Path

from tests.captures import CAPTURES_FOLDER


def teardown(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "analyzer", *words], capture_output=True, text=True, check=False)


def test_it_writes_the_page_beside_the_summary_and_names_it(tmp_path: Path) -> None:
    capture, file = CAPTURES_FOLDER / "reconnect-loop-leaks.pcapng", tmp_path / "page.html"
    done = teardown("analyze", str(capture), "--html", str(file), "--ending", "graceful")
    assert done.returncode == 0, done.stderr
    assert f"Wrote {file}" in done.stdout
    page = file.read_text("utf8")
    assert "1 connection only: --ending graceful" in page
    assert f"--html {file} --ending graceful" in page


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    capture = CAPTURES_FOLDER / "graceful-client-first.pcap"
    done = teardown("analyze", str(capture), "--html", str(tmp_path / "none" / "page.html"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "cannot write" in done.stderr
