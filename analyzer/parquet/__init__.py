"""Rows of numbers become a Parquet file, at the speed of memory.

pyarrow's own writer takes a column after the other, of Arrow's arrays, in one thread. Here the rows stay what they are:
compiled code reads each once, picks out its columns and encodes them, and several threads do so at a time. Of what
Parquet offers only that is here which the tables need: one data page a column and group, whole numbers as differences,
words by their place in a dictionary.
"""

from analyzer.parquet.file import File
from analyzer.parquet.kernels import Form
from analyzer.parquet.pages import Dictionary, Field, Group, Pages, Texts, Values, dictionary

__all__ = ["Dictionary", "Field", "File", "Form", "Group", "Pages", "Texts", "Values", "dictionary"]
