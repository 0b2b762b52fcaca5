"""Every key of ``teardown browse`` and what it does: the bindings, the help and the docs are made from it."""

from typing import NamedTuple


class KeyMeaning(NamedTuple):
    """``keys`` as textual names them, ``shown`` as people do; ``action`` of the screen, "" where a widget has it; in
    the key bar as ``label``, the lowest ``rank`` first where there is no room for all, 0 for not at all."""

    keys: str
    shown: str
    action: str
    label: str
    rank: int
    meaning: str


KEYS = (
    KeyMeaning(
        "slash",
        "/",
        "filter",
        "filter",
        1,
        "Write into the filter box, in place of what is there, or behind it after End; Enter applies it.",
    ),
    KeyMeaning("f", "f", "findings", "findings", 2, "Show the findings in groups, the gravest first."),
    KeyMeaning("enter", "Enter", "", "open", 3, "Open the connection; of a group of findings, list its connections."),
    KeyMeaning("s", "s", "sort", "sort", 4, "Choose the column that sorts."),
    KeyMeaning("r", "r", "reverse", "reverse", 9, "Sort the other way round."),
    KeyMeaning("n", "n", "netstat", "sockets", 5, "List the sockets of every host at the moment under the cursor."),
    KeyMeaning("c", "c", "counts", "counts", 8, "Show or hide the sockets by state at the moment under the cursor."),
    KeyMeaning("a", "a", "everything", "all segments", 10, "Show every segment of the ladder, or fold steady data."),
    KeyMeaning("b", "b", "brief", "brief", 12, "Leave the sentences out of the ladder, or bring them back."),
    KeyMeaning(
        "t", "t", "time", "time", 12, "Times since the first segment, of the day (UTC), or since the line before."
    ),
    KeyMeaning("v", "v", "summary", "summary", 7, "Show the summary of the connections that are listed."),
    KeyMeaning("y", "y", "copy", "copy filter", 11, "Copy Wireshark's display filter for the connection."),
    KeyMeaning("x", "x", "clear", "clear", 12, "Empty the filter box: list all connections."),
    KeyMeaning("J", "J", "step(1)", "next", 13, "Go to the next connection of the list, also where one is opened."),
    KeyMeaning("K", "K", "step(-1)", "previous", 14, "Go to the one before."),
    KeyMeaning("tab", "Tab", "", "", 0, "Go from the list to the ladder and back."),
    KeyMeaning("up,k", "↑ k", "", "", 0, "One line up; in the ladder the moment under the cursor goes along."),
    KeyMeaning("down,j", "↓ j", "", "", 0, "One line down."),
    KeyMeaning("pageup,pagedown", "PgUp PgDn", "", "", 0, "One page up or down."),
    KeyMeaning("home,end", "Home End", "", "", 0, "The first or the last line."),
    KeyMeaning("left,right", "← →", "", "", 0, "Move what is wider than the screen."),
    KeyMeaning("question_mark", "?", "help", "help", 6, "Show this help."),
    KeyMeaning("q,escape", "q Esc", "go_back", "back", 2, "Go back; the last one quits."),
    KeyMeaning("ctrl+c", "Ctrl-C", "leave", "", 0, "Quit at once."),
)
FILTER_HELP = (
    "The filter box takes the options of the command line: --host, --port, --stream, --between, --code, --ending, "
    "--where, and --sort and --columns as in teardown flows. Several of them must all hold.",
    "Without an option before it, an address, an address and port, codes of findings and words of the column teardown "
    "are known for what they are; anything else is an expression as --where takes it:",
)
FILTER_EXAMPLES = (
    "10.0.0.7",
    "--host 10.0.0.0/8 --port 443 --between 14:05 14:10",
    "TD101,TD305",
    "server_close_wait_s > 5 and closed_by == 'client' --sort -duration_s",
)
