"""``teardown browse``: captures on a full screen, once they are read.

    keys.py          every key and what it does: the bindings, the help and the docs are made from it
    filter_box.py    what is typed into the box: the options of the command line
    reading.py       the captures read by a thread, with how far it is
    browsed.py       what was read, and everything that the screen asks of it
    moment_counts.py the sockets in each state at a moment
    drawing.py       lines for people as the screen draws them; style_sheet.py: where what stands
    rows_view.py     rows that are made when they are seen: 300,000 take no longer than 30
    connection_list.py, text_view.py, counts_pane.py, head_lines.py, key_bar.py    what stands on the screen
    dialogs.py       what opens above it: findings, sort, sockets, help
    background.py    work for threads, of which only the newest matters
    app.py           all of it together

Nothing is computed in widgets, and nothing that takes long is done in the screen's own thread. All text is drawn as it
is, never as markup.
"""
