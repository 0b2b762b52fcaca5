"""Text that others chose (file names, arguments) made harmless for a terminal. Imports nothing, so that
errors can be printed before anything heavy is loaded."""


def safe(text: str) -> str:
    """``text`` with everything that a terminal might obey (control characters, bidirectional marks, broken
    encodings) spelled out as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
