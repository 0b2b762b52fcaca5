"""Public cases that somebody worked out by hand, as captures, and what the program must say about each.

A story is a capture and a file beside it, `NAME.story.toml`. It is written from the answer of the case, not from what
the program prints:

    source     addresses of the public case
    happened   what was the matter, in our own words
    packets    how the capture was made
    settings   keyword arguments of analyze(), where the case needs others

    [[must]]      a finding that has to be there: code, and any of streams (each of them), endpoint, severity,
                  confidence, says and advises: regular expressions, each found in its message, in its advice
    [[must_not]]  codes that may not be found; says, advises: expressions that no finding may hold; worse_than: no
                  finding may be more severe. With streams, only findings of these
    [[flow]]      columns of flows.csv for each of the streams; a list of two numbers is a range
    [[ladder]]    shows, shows_not: expressions for the ladder of a stream
    [[table]]     a further table by name; each row in has must be matched by one of its rows

`threads/` has the captures of thirteen threads. `public/` has the others: `played.py` makes those that real kernels can
play, `built.py` those that only exist as a description. `python -m tests.stories.record NAME...` makes them again.
"""
