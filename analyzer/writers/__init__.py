"""The tables of an analysis as files: CSV, Parquet, and one JSON document."""
