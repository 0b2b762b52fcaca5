"""One page that tells what a capture shows, to look at and to hand on: ``teardown analyze --html FILE``.

    document.py     the page from an analysis: what it says at once, the data, scripts and styles, and the policy
    wording.py      what the first screen says
    findings.py     the findings: gravest as cards, all by code and endpoint
    connections.py  which connections the page has, and their rows
    ladders.py      which of them have a ladder, drawn as ``teardown timeline --svg`` draws it
    sockets.py      sockets by state over time, and what ``teardown netstat`` is made from
    embedded.py     data as it stands in the page; scripts of the installed libraries
    files/          template, styles and scripts

It is a file of its own: nothing is loaded from elsewhere, and its policy allows no script but its own. Whatever comes
from a capture is escaped by the template, or is data that scripts put into the page as text.
"""
