"""The documentation as a site: every page is in it, every link leads somewhere, and it loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"?(https?:)?//", re.I)


def test_it_is_built_without_a_warning_and_needs_no_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.html")}
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages >= {name.replace("README.md", "index.html").replace(".md", ".html") for name in written}
    menu = (tmp_path / "site" / "index.html").read_text("utf8")
    assert "how-to/random-502s.html" in menu and "findings/TD101.html" in menu
    for page in (tmp_path / "site").rglob("*.html"):
        assert not LOADED.search(page.read_text("utf8")), page.name
