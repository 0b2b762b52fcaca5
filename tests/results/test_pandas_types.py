"""Arrays become tables with the declared columns and types, and nothing is rounded on the way."""

import numpy as np
import pandas as pd
import pytest

from analyzer.results.pandas_types import empty, epoch_ns, seconds_ns, table
from analyzer.results.schema import TABLES
from analyzer.tcp.evidence import BASIS_WORDS
from analyzer.tcp.states import State
from analyzer.tracker.flow_record import STATES
from analyzer.units import UNKNOWN
from tests.results.sample import START, sample_result

KINDS = {
    "count": "int64",
    "number": "Int64",
    "sequence": "Int64",
    "word": "category",
    "address": "category",
    "file": "category",
    "letters": "category",
    "text": "str" if pd.__version__ >= "3" else "object",
    "time": "datetime64[ns, UTC]",
    "seconds": "float64",
    "flag": "bool",
}


@pytest.mark.parametrize("name", TABLES)
def test_columns_have_the_declared_order_and_types(name: str) -> None:
    for frame in (empty(name), getattr(sample_result(), name)):
        assert list(frame.columns) == [column.name for column in TABLES[name]]
        assert [str(kind) for kind in frame.dtypes] == [KINDS[column.kind] for column in TABLES[name]]


def test_times_are_exact_and_unknown_is_not_a_time() -> None:
    flows = sample_result().flows
    assert epoch_ns(flows["first_epoch"])[0] == START
    assert flows["client_fin_epoch"].isna().tolist() == [False, True, True, True]
    assert epoch_ns(flows["client_fin_epoch"])[1] == UNKNOWN


def test_unknown_words_and_numbers_are_missing_values() -> None:
    result = sample_result()
    assert result.flows["closed_by"].isna().tolist() == [False, False, False, True]
    assert "" not in result.flows["closed_by"].cat.categories
    assert result.timeline["frame"].isna().sum() == 1


def test_durations_return_to_the_nanosecond() -> None:
    durations = np.array([0, 1, 999_999_999, 86_400_000_000_001, UNKNOWN])
    assert seconds_ns(pd.Series(np.where(durations == UNKNOWN, np.nan, durations / 1e9))).tolist() == durations.tolist()


def test_further_columns_come_behind() -> None:
    data = {column.name: [] for column in TABLES["segments"]}
    assert list(table("segments", {"more": [], **data}).columns)[-1] == "more"


def test_vocabularies_are_the_trackers() -> None:
    assert set(STATES.meanings) == {state.name for state in State}
    bases = next(column.words.meanings for column in TABLES["timeline"] if column.name == "basis")
    assert set(bases) == set(BASIS_WORDS.values())
