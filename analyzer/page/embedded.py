"""What stands in the page beside its text: data, scripts and styles, and the policy that allows no others."""

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files
from typing import Any

from analyzer.errors import UsageError

MISSING = "--html needs the libraries of the page: pip install 'teardown[page]'"
OWN = files("analyzer.page") / "files"
UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
EXPORTS = re.compile(r"export\s*\{([^{}]*)\}\s*;?")
DEFAULT = re.compile(r"([\w$]+) as default\b")
LIBRARY = "itables"


def own(name: str) -> str:
    """One of our files."""
    return (OWN / name).read_text("utf-8")


def json_text(value: Any) -> str:
    """A value as JSON that can stand in a script element: nothing in it ends the element or begins another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "".join(UNSAFE.get(letter, letter) for letter in text)


def packed(value: Any) -> str:
    """A value as JSON, compressed, as letters: for what is large and not wanted at once."""
    return b64encode(gzip.compress(json.dumps(value, separators=(",", ":")).encode(), 9, mtime=0)).decode()


def table_library() -> str:
    """The script of DataTables, from the installed package; it leaves ``DataTable`` in the window. Raises UsageError
    where it is missing or has another form. (Its styles know no dark ground of ours, and are not used.)"""
    try:
        script = (files(LIBRARY) / "html" / "dt_bundle.js").read_text("utf-8")
    except (ImportError, OSError) as error:
        raise UsageError(MISSING) from error
    found = EXPORTS.findall(script)
    named = DEFAULT.search(found[-1]) if found else None
    if named is None:
        raise UsageError(f"this release of {LIBRARY} has another form of its script; --html knows those since 2.6")
    return f"{EXPORTS.sub('', script)}\n;globalThis.DataTable={named[1]};"


def policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """The content security policy of a page with these inline scripts and styles: nothing else is run or loaded."""

    def hashes(texts: Iterable[str]) -> str:
        return " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts)

    allowed = f"script-src {hashes(scripts)}; style-src {hashes(styles)}"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
