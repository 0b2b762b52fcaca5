"""Make ``docs/page.png``, the picture of the page in the README: ``python docs/page_picture.py``. It needs Chromium."""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
CAPTURE = "captures/one-response-in-three-not-closed.pcapng"
SIZE = {"width": 1180, "height": 860}


def main() -> None:
    """Write the picture."""
    with TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        command = [sys.executable, "-m", "analyzer", "analyze", CAPTURE, "--html", str(page), "--quiet"]
        subprocess.run(command, cwd=ROOT, check=True)
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            opened = browser.new_page(viewport=SIZE)
            opened.goto(page.as_uri())
            opened.wait_for_selector("html[data-ready]")
            opened.screenshot(path=ROOT / "docs" / "page.png")
            browser.close()


if __name__ == "__main__":
    main()
