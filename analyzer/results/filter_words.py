"""Whether the words of filters are known: codes of findings, endings, columns of flows."""

from difflib import get_close_matches

from analyzer.errors import UsageError
from analyzer.filters import columns_of, filters_of
from analyzer.findings.loading import rules
from analyzer.results.schema import TABLES
from analyzer.settings import Settings
from analyzer.tracker.vocabularies import TEARDOWNS


def check_words(settings: Settings) -> None:
    """Raises UsageError where a filter in ``settings`` names a code, an ending or a column that there is not."""
    filters = filters_of(settings)
    if unknown := sorted(filters.code - set(rules())):
        raise UsageError(f"no finding {', '.join(unknown)}; teardown explain --list shows all")
    if unknown := sorted(filters.ending - set(TEARDOWNS.meanings)):
        raise UsageError(f"no ending {', '.join(unknown)}; there are {', '.join(TEARDOWNS.meanings)}")
    for name in columns_of(filters.where) if filters.where else []:
        known_column(name)


def known_column(name: str) -> str:
    """A column of flows. Raises UsageError, with all there are, for another name."""
    known = [column.name for column in TABLES["flows"]]
    if name not in known:
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"flows has no column {name}; {meant}There are {', '.join(known)}")
    return name
