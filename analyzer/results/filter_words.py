"""Whether the words of filters are known: codes of findings, endings, columns of flows."""

from analyzer.errors import UsageError
from analyzer.filters import codes_of, filters_of
from analyzer.findings.loading import rules
from analyzer.results.expression_words import readable
from analyzer.settings import Settings, origin
from analyzer.tracker.vocabularies import TEARDOWNS


def check_words(settings: Settings) -> None:
    """Raises UsageError where a filter in ``settings`` names a code, an ending or a column that there is not."""
    filters = filters_of(settings)
    if unknown := sorted(filters.code - set(rules())):
        raise UsageError(f"no finding {', '.join(unknown)}; teardown explain --list shows all")
    for name in ("select", "ignore"):
        if unknown := sorted(codes_of(getattr(settings, name) or "") - set(rules())):
            raise UsageError(
                f"{origin(settings, name)}: no finding {', '.join(unknown)}; teardown explain --list shows all"
            )
    if unknown := sorted(filters.ending - set(TEARDOWNS.meanings)):
        raise UsageError(f"no ending {', '.join(unknown)}; there are {', '.join(TEARDOWNS.meanings)}")
    if filters.where:
        readable(filters.where)


def codes_told(settings: Settings) -> frozenset[str] | None:
    """The codes of the findings that are told of; None: of all."""
    if settings.select is None and settings.ignore is None:
        return None
    chosen = codes_of(settings.select) if settings.select is not None else frozenset(rules())
    return chosen - codes_of(settings.ignore or "")
