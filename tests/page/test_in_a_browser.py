"""The page in a browser: what a reader does with it, and what a hostile capture cannot do."""

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer.moments import GivenTime
from analyzer.page.document import page_text
from analyzer.results.netstat import STATES, sockets_at, words_of_bits
from tests.captures import CAPTURES_FOLDER as CAPTURES
from tests.page.made import WORDS, analysed_with_spool, page_of

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
Page = Any
MANY = "reconnect-loop-leaks.pcapng"
PATIENCE = 10_000  # ms


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def opened(browser: Any, file: Path, **options: Any) -> tuple[Page, list[str]]:
    """The page, and what it said on the console or asked for elsewhere."""
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(PATIENCE)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url != file.as_uri() else None)
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    return page, said


@cache
def many() -> tuple[str, Any]:
    return page_of(MANY)


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for the tests that only look, or undo what they do."""
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(many()[0], "utf8")
    made, said = opened(browser, file, viewport={"width": 1440, "height": 900}, permissions=["clipboard-read"])
    yield made
    assert said == []


def rows(page: Page) -> list[list[str]]:
    script = (
        "() => [...document.querySelectorAll('#table tbody tr')].map((row) => [...row.cells].map((c) => c.textContent))"
    )
    return list(page.evaluate(script))


def shown(page: Page) -> int:
    """How many connections the table has with the filters that are set."""
    return int(page.evaluate("() => teardownTable.rows({ search: 'applied' }).count()"))


def test_the_first_screen_has_the_verdict_and_what_to_act_on(page: Page) -> None:
    assert page.locator(".verdict").bounding_box()["y"] < 200
    assert page.locator(".card").first.bounding_box()["y"] < 700
    assert page.locator(".card").first.get_attribute("open") is not None


def test_filters_are_those_of_the_command_line(page: Page) -> None:
    flows = many()[1].result().flows
    endings = flows["teardown"].value_counts()
    page.select_option("#by-ending", str(endings.index[0]))
    assert shown(page) == endings.iloc[0]
    page.click("#filters button[type=reset]")
    page.wait_for_function(f"() => teardownTable.rows({{ search: 'applied' }}).count() === {len(flows)}")
    page.select_option("#by-state", "CLOSE_WAIT")
    assert shown(page) == int((flows["client_state"] == "CLOSE_WAIT").sum())
    page.select_option("#by-state", "")
    page.fill("#words", "client_state:CLOSE_WAIT")
    assert shown(page) == int((flows["client_state"] == "CLOSE_WAIT").sum()) > 0
    page.fill("#words", "-client_state:CLOSE_WAIT")
    assert shown(page) == int((flows["client_state"] != "CLOSE_WAIT").sum())
    page.fill("#words", "nonsense:x")
    assert page.inner_text("#problem") == "there is no column nonsense"
    page.fill("#words", "")
    assert shown(page) == len(flows)


def test_any_column_sorts_also_by_the_keyboard(page: Page) -> None:
    head = page.locator("#table thead th", has_text="lasted")
    head.locator("[role=button]").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#table thead th[aria-sort=ascending]:has-text('lasted')")
    durations = many()[1].result().flows.sort_values("duration_s", kind="stable")
    assert rows(page)[0][0] == str(durations["stream"].iloc[0])


def test_a_connection_opens_with_its_ladder_filter_and_explanation(page: Page) -> None:
    page.locator("#table .chip").first.click()
    page.wait_for_selector("#opened svg.picture")
    stream = page.inner_text("#opened h3").split()[1]
    page.click("#opened button.copy >> nth=0")
    assert page.evaluate("navigator.clipboard.readText()") == f"tcp.stream == {stream}"
    page.click("#opened details:has-text('The same as a table') summary")
    assert page.locator("#opened table tbody tr").count() >= 3
    page.evaluate("() => teardown.openConnection(teardown.data.findings[0].rows[0][0])")
    page.wait_for_selector("#opened .found")
    page.click("#opened .found details.explain summary")
    assert "severity" in page.inner_text("#opened .explanation").lower()


def test_groups_hold_all_findings(page: Page) -> None:
    listing = many()[1].listing
    assert page.locator("#groups > details").count() == len(listing.tables)
    page.click("#groups > details >> nth=0")
    page.click("#groups > details >> nth=0 >> .inside > details:not(.explain) >> nth=0 >> summary")
    page.wait_for_selector("#groups > details >> nth=0 >> li")


def test_the_counts_and_the_sockets_of_a_moment_answer_a_key_and_a_click(page: Page) -> None:
    page.focus("#chart svg")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("#netstat table tbody tr")
    box = page.locator("#chart svg").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 50)
    page.wait_for_function("() => document.querySelector('#netstat h3')")
    assert "teardown netstat" in page.inner_text("#netstat")


@pytest.mark.parametrize(
    "name", [MANY, "close-wait-leak.pcap", "starts-mid-stream.pcap", "time-wait-runs-out.pcap", "last-ack-lost.pcapng"]
)
def test_the_sockets_of_a_moment_are_those_of_netstat(browser: Any, tmp_path: Path, name: str) -> None:
    text, analysed = page_of(name)
    file = tmp_path / "page.html"
    file.write_text(text, "utf8")
    page, said = opened(browser, file)
    first, last = analysed.summary.first_ns, analysed.summary.last_ns
    assert first is not None and last is not None
    for moment in np.linspace(0, last - first, 13).astype(np.int64).tolist():
        listed = sockets_at(analysed, GivenTime(first + moment, "1970"))
        numbers = {column: values.tolist() for column, values in listed.rows.items()}
        masks = [text.decode() for text in listed.texts["also_possible"]]
        wanted = sorted(
            (stream, ("client", "server")[end], STATES[state], masks[also], None if left < 0 else left)
            for stream, end, state, also, left in zip(
                *(numbers[key] for key in ("stream", "endpoint", "state", "also_possible", "time_wait_left_s")),
                strict=True,
            )
        )
        found = page.evaluate(f"() => teardown.netstat({moment})")
        got = sorted((e["stream"], e["endpoint"], e["state"], ";".join(e["also"]), e["left"]) for e in found)
        assert got == wanted
    assert said == [] and words_of_bits(1)


def test_hostile_names_are_text(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("<").mkdir()
    name = "</script><img src=x onerror=alert(1)>\"'\x1b[2J{{ 7*7 }}.pcap"
    shutil.copy(CAPTURES / "close-wait-leak.pcap", name)
    analysed, spool = analysed_with_spool([name])
    file = tmp_path / "page.html"
    file.write_text(page_text(analysed, spool, [*WORDS, name]), "utf8")
    page, said = opened(browser, file)
    assert page.evaluate("() => teardown.openConnection(0)")
    page.wait_for_timeout(50)
    assert said == []
    assert page.locator("img").count() == 0 and page.locator("script").count() == page.evaluate(
        "() => 4 + document.querySelectorAll('script.block').length"
    )
    assert "onerror=alert(1)" in page.inner_text("h1") and "49" not in page.inner_text("h1")


def test_a_script_that_is_not_its_own_is_refused(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(many()[0].replace("</body>", "<script>document.title = 'owned'</script></body>"), "utf8")
    page, said = opened(browser, file)
    assert page.title() != "owned" and any("Content Security Policy" in line for line in said)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_scrolling_sideways(browser: Any, tmp_path: Path, scheme: str) -> None:
    file = tmp_path / "page.html"
    file.write_text(many()[0], "utf8")
    page, said = opened(browser, file, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.evaluate("() => teardown.openConnection(0)")
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    dark = page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor") == "rgb(20, 24, 29)"
    assert dark == (scheme == "dark") and said == []


def test_printed_it_is_a_report_of_few_pages(browser: Any, tmp_path: Path) -> None:
    file, paper = tmp_path / "page.html", tmp_path / "page.pdf"
    file.write_text(many()[0], "utf8")
    page, _ = opened(browser, file)
    page.pdf(path=str(paper), prefer_css_page_size=True)
    assert 2 <= paper.read_bytes().count(b"/Type /Page\n") <= 4


@pytest.mark.parametrize("name", ["graceful-client-first.pcap", "graceful-over-ipv6.pcap", "frames-cut-short.pcap"])
def test_pages_of_other_captures_open_without_a_word(browser: Any, tmp_path: Path, name: str) -> None:
    text, _ = page_of(name)
    file = tmp_path / "page.html"
    file.write_text(text, "utf8")
    _, said = opened(browser, file)
    assert said == [] and len(text) < 3_000_000
    assert json.dumps(name)[1:-1] in text
