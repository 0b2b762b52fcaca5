"""Two captures of the same connections, made at two places: what happened between them.

A segment that passes both places is in both captures; where it is not, it was lost between them, came from a device
between them, or a capture missed it. Nothing is known of the two clocks beforehand. But no segment arrives before it
leaves: what passes A first gives an upper bound of how far B's clock is ahead, what passes B first a lower one.

    tap.py       one capture: its segments, flows and states
    matching.py  which flow of A is which flow of B
    segments.py  which segment of A is which segment of B
    order.py     which tap a sender's segments pass first
    clock.py     how far B's clock is ahead of A's, and how that changes, with bounds
    crossing.py  what one tap has and the other does not
    states.py    the states of each host, by the tap that is nearer to it
    compared.py  all of it in order
"""
