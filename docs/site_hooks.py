"""Hooks of mkdocs: the findings' pages in the menu, and links that lead out of docs/ as plain text.

The site has only the pages of docs/; in the repository the same links lead to sources, notebooks and captures.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\(([^)#:\s]+)(#[^)]*)?\)")
FINDINGS = "Findings"  # the entry of the menu under which their pages are listed


def on_config(config: Any, **_: Any) -> Any:
    """The menu with a line for each finding."""
    folder = Path(config["docs_dir"], "findings")
    pages = [f"findings/{name}" for name in ("README.md", *sorted(path.name for path in folder.glob("TD*.md")))]
    for section in config["nav"]:
        for entries in section.values() if isinstance(section, dict) else ():
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict) and FINDINGS in entry:
                    entry[FINDINGS] = pages
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page's text, with ``[words](../analyzer/x.py)`` as ``words``."""
    folder = posixpath.dirname(page.file.src_uri)

    def kept(found: "re.Match[str]") -> str:
        target = posixpath.normpath(posixpath.join(folder, found[2]))
        return found[1] if target.startswith("..") else found[0]

    return LINK.sub(kept, markdown)
