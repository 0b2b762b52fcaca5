"""Every key of the screen of ``teardown live``: the same as in ``browse`` where they mean the same."""

from analyzer.browse.keys import KeyMeaning

KEYS = (
    KeyMeaning(
        "enter", "Enter", "", "open", 2,
        "Open what is under the cursor: of a group of findings, its newest connections; of a connection, its ladder; "
        "of an endpoint, the ladder of its oldest closing connection.",
    ),
    KeyMeaning("tab", "Tab", "other_table", "other table", 3, "Go from the endpoints to the findings and back."),
    KeyMeaning("s", "s", "sort", "sort", 4, "Sort the table that has the cursor by the next thing."),
    KeyMeaning("slash", "/", "filter", "filter", 5, "Show only what contains some text; Enter applies it, Esc leaves."),
    KeyMeaning("x", "x", "clear", "clear filter", 8, "Show everything again."),
    KeyMeaning(
        "p", "p", "pause", "pause", 6, "Hold the picture, or go on. The watch goes on, and what came since is counted."
    ),
    KeyMeaning("question_mark", "?", "help", "help", 7, "Show this help."),
    KeyMeaning("up,k", "↑ k", "", "", 0, "One line up."),
    KeyMeaning("down,j", "↓ j", "", "", 0, "One line down."),
    KeyMeaning("pageup,pagedown", "PgUp PgDn", "", "", 0, "One page up or down."),
    KeyMeaning("home,end", "Home End", "", "", 0, "The first or the last line. From Home on the cursor stays on top."),
    KeyMeaning("q,escape", "q Esc", "go_back", "quit", 1, "Go back; the last one ends the watch."),
    KeyMeaning("ctrl+c", "Ctrl-C", "leave", "", 0, "End the watch at once."),
)  # fmt: skip
