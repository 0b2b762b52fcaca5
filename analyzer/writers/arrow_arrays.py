"""Arrow's arrays over the memory of numpy's.

pyarrow's own way from numpy loads pandas, to see whether what it got is one of pandas' kinds of arrays; that takes a
quarter of a second.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analyzer.text import Words


def numbers(values: NDArray[Any], null: NDArray[np.bool_] | None = None, type: Any = None) -> Any:
    """``values``, none where ``null`` is true; of another ``type`` of the same size if need be."""
    kept = np.ascontiguousarray(values)
    valid = _bits(~null) if null is not None and null.any() else None
    return pa.Array.from_buffers(type or pa.from_numpy_dtype(kept.dtype), len(kept), [valid, pa.py_buffer(kept)])


def flags(values: NDArray[Any]) -> Any:
    """Truth values."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values.astype(np.bool_))])


def texts(words: Words | Sequence[str]) -> Any:
    """Texts; those of ``Words`` are not copied."""
    words = words if isinstance(words, Words) else Words.of(words)
    return pa.Array.from_buffers(pa.large_string(), len(words), _text(words, np.int64))


def dictionary(codes: NDArray[Any], words: Words | Sequence[str], null: NDArray[np.bool_] | None = None) -> Any:
    """The word that each code is the place of; none where ``null`` is true."""
    words = words if isinstance(words, Words) else Words.of(words)
    distinct = pa.Array.from_buffers(pa.string(), len(words), _text(words, np.int32))
    return pa.DictionaryArray.from_arrays(numbers(codes, null), distinct)


def _text(words: Words, size: type[np.signedinteger[Any]]) -> list[Any]:
    return [None, pa.py_buffer(np.ascontiguousarray(words.starts, size)), pa.py_buffer(words.data)]


def _bits(values: NDArray[np.bool_]) -> Any:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
