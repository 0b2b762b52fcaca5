"""Pictures for people: a connection as a ladder, sockets over time; SVG that a browser shows and a report contains.

    colours.py      one visual language: which state and which segment has which colour, and what stands beside it
    svg.py          elements with their text escaped, and a picture that stands alone
    time_scale.py   where a moment stands: to scale, short steps widened and long silences folded
    lanes.py        the states of an endpoint as lengths of its lane, with the bounds of each time
    charts.py       figures of matplotlib: sockets over time, endings
    ladder.py       the ladder of one connection: ``teardown timeline --svg``, and on the page

A colour never tells anything alone: states are words, flags are letters, what was not seen is hatched.
"""
