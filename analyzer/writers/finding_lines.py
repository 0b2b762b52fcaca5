"""The lines of findings.csv: of each rule a template of whole lines, the pieces of its sentences among the cells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.wording import ROLES
from analyzer.results.finding_list import BoundWording, FindingList, FindingRows, RuleFindings, distinct, run_together
from analyzer.results.sentence_values import SentenceValues
from analyzer.results.sentences import LinePieces, line_form, needs_quotes
from analyzer.text import Template, TextLines, code, in_order, number, run_on, seconds
from analyzer.times import EPOCH, NEVER


class FindingLines:
    """Makes the lines of ``listing``; a template is made when it is first wanted."""

    def __init__(self, listing: FindingList) -> None:
        self._listing = listing
        self._templates: dict[tuple[str, str, int], BoundWording] = {}

    def of(self, places: FindingRows, room: NDArray[np.uint8]) -> tuple[TextLines, NDArray[np.uint8]]:
        """The lines of some findings, made of texts in ``room``; and that itself, or a larger one where it did not
        suffice."""
        listing = self._listing
        parts: list[TextLines] = []
        order = np.zeros(len(places.row), np.int64)
        for table, here in listing.groups(places):
            rows = places.row[here]
            quotes = _quotes(table, listing.rows_of(table, rows))
            for kind in distinct(quotes).tolist():
                chosen = np.flatnonzero(quotes == kind)
                order[here[chosen]] = np.arange(len(chosen)) + sum(lines.count for lines in parts)
                parts.append(listing.lines(self._template(table, kind), table, rows[chosen]))
        words, room = run_on(parts, room)
        return in_order(words, order), room

    def _template(self, table: RuleFindings, quotes: int) -> BoundWording:
        """The template of whole lines, with quotes around the message (1), the advice (2) or both."""
        key = table.rule.key, table.rule.severity, quotes
        if key not in self._templates:
            message, advice = (
                line_form(pieces, table.recording, bool(quotes & 1 << place))
                for place, pieces in enumerate(table.sentences.values())
            )
            pieces = [*_cells(table), ",", *message.pieces, ",", *advice.pieces, *_located(table), "\n"]
            words = table.cell_words() | message.words | advice.words
            self._templates[key] = BoundWording(Template(run_together(pieces)), words)
        return self._templates[key]


def _quotes(table: RuleFindings, rows: SentenceValues) -> NDArray[Any]:
    """Which cells of each row need quotes: 1 the message, 2 the advice, 3 both."""
    message, advice = (needs_quotes(form, rows) for form in table.forms.values())
    return np.asarray(message + 2 * advice, np.uint8)


def _cells(table: RuleFindings) -> LinePieces:
    """The cells before the message."""
    ends: LinePieces = []
    for role in ROLES:
        ends += [",", code(f"{role}_ip", "addresses"), ",", number(f"{role}_port", none=-1)]
    head: LinePieces = [f"{table.rule.code},{table.rule.severity},", number("stream"), *ends, ","]
    when: LinePieces = [code("blamed", "endpoints"), ",", seconds("when", none=NEVER, zero=EPOCH), ","]
    return [*head, *when, *table.frames(), ",", code("confidence", "confidences")]


def _located(table: RuleFindings) -> LinePieces:
    """The cells behind the advice: of several captures the file of the frame that decides, and its number there."""
    if not table.recording.frame_files.several:
        return [",,"]
    return [",", code("file:decides", "files"), ",", number("own:decides", none=0)]
