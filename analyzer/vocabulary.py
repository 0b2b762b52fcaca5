"""Words that users write and read, and that more than one part of the program needs.

Imported by the command line before anything heavy, so it needs nothing.
"""

SEVERITY_MEANINGS = {  # the gravest first
    "error": "something is broken and needs action",
    "warning": "probably wrong, or wasteful",
    "info": "worth knowing, often legal",
}

CONFIDENCE_MEANINGS = {  # the surest first
    "high": "every step it relies on was sent or is proven, and no segment is missing there",
    "medium": "a step it relies on is assumed, a timer's, or inferred",
    "low": "the capture's start, end or losses allow another explanation",
}

SEVERITIES = tuple(SEVERITY_MEANINGS)
INFO = SEVERITIES[-1]
CONFIDENCES = tuple(CONFIDENCE_MEANINGS)

ANALYSED = ("flows", "timeline", "findings")  # the tables of what an analysis finds
TABLE_NAMES = (*ANALYSED, "segments")
FURTHER = {  # tables that are made only where they are asked for, and the one whose rows each is made from
    "census": "timeline",
    "reuse": "timeline",
    "timers": "flows",
}
