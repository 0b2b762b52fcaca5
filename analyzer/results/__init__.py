"""What an analysis found, as tables: their columns (``schema``), rows, DataFrames, the overview, the list of findings.

Nothing in here looks at packets. ``writers`` make files of it, ``views`` what a person reads.
"""
