"""How a connection without surprises is told from its segments at once.

``flow_buffer`` (with the kernels of ``buffered``) has the segments of a flow wait for each other. ``release`` lets a
flow go of which nothing more is expected: to ``whole_flow``, if it holds no surprise, else to the tracker.
``reused`` is about flows that take over addresses and ports from another. Here stands only when the short way applies:
times and states are those of ``tcp`` and of the tracker.
"""
