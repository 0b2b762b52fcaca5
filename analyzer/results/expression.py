"""``--where``: an expression over the columns of flows, reckoned by pandas. What may be in it, ``filters`` says."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analyzer.errors import UsageError
from analyzer.filters import columns_of, shortened
from analyzer.results.dataframes import flows_frame
from analyzer.results.expression_words import readable
from analyzer.results.store import FlowStore

Rows = NDArray[np.void]


def true_of(
    expression: str, endings: Rows, tables: FlowStore, texts: Sequence[str], first_ns: int
) -> NDArray[np.bool_]:
    """Of which rows of ENDING an expression is true; ``texts`` are those of the addresses, and the capture begins at
    ``first_ns``. Raises UsageError where it cannot be reckoned."""
    exact = readable(expression, first_ns)
    frame = flows_frame(endings, texts, tables.combinations, tables.files, columns_of(expression))
    try:
        said = frame.apply(_plain).eval(exact, engine="python")
    except Exception as error:  # whatever pandas raises: the expression is anybody's
        reason = " ".join(str(error).split())
        raise UsageError(f"--where {shortened(expression)} cannot be reckoned: {reason}") from None
    if not isinstance(said, pd.Series) or said.dtype.name not in ("bool", "boolean"):
        raise UsageError(f"--where {shortened(expression)} is neither true nor false of a connection")
    return said.fillna(False).to_numpy(np.bool_)


def _plain(column: Any) -> Any:
    """A column as it is compared: times without their zone, words as text, numbers that may be unknown as floats."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_localize(None)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(object).fillna("")
    return column.astype("float64") if column.dtype.name == "Int64" else column
