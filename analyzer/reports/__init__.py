"""Verdicts become what people read: tables for scripts, a summary and a ladder for the terminal, JSON.

Nothing in here looks at packets. Everything is made from one :class:`~analyzer.reports.result.Result`, whose
tables have exactly the columns that ``columns.py`` declares.
"""
