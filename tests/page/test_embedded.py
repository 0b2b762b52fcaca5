"""What stands in the page beside its text."""

import json
import sys
from base64 import b64decode, b64encode
from gzip import decompress
from hashlib import sha256

import pytest

from analyzer.errors import UsageError
from analyzer.page.document import check_libraries
from analyzer.page.embedded import json_text, packed, policy

HOSTILE = "</script><script>alert(1)</script><!--&amp;\u2028\u2029\x1b[2J"


def test_data_cannot_end_the_element_that_they_stand_in() -> None:
    text = json_text({HOSTILE: [HOSTILE, 1, None]})
    assert not set("<>&\u2028\u2029\x1b") & set(text)
    assert json.loads(text) == {HOSTILE: [HOSTILE, 1, None]}


def test_packed_data_are_letters_and_come_back() -> None:
    text = packed({"a": HOSTILE})
    assert text.replace("+", "").replace("/", "").rstrip("=").isalnum()
    assert json.loads(decompress(b64decode(text))) == {"a": HOSTILE}


def test_the_policy_allows_these_scripts_and_nothing_else() -> None:
    said = policy(["one"], ["two"])
    assert b64encode(sha256(b"one").digest()).decode() in said
    assert "unsafe" not in said and said.startswith("default-src 'none'")


@pytest.mark.parametrize("missing", ["jinja2", "markdown_it", "itables"])
def test_a_missing_library_is_named_by_its_extra_in_one_line(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError, match=r"pip install 'teardown\[page\]'") as said:
        check_libraries()
    assert "\n" not in str(said.value)
