"""States with evidence: what each endpoint of each connection went through, and how surely that is known.

Read first, in ``analyzer/tcp``: ``states`` (the arrows, each with its RFC section), ``bounds`` (the times of each),
``evidence`` (how surely something is known). Then here, in this order:

1. ``track``: the observer's stance, and ``Tracker``, which the pipeline calls.
2. ``ledger``: what is known of an endpoint and of a flow; the meaning of every column.
3. ``context`` (what kernels hand on) and ``moves`` (an endpoint is moved along an arrow, or back).
4. ``step``: one segment, and the order in which it is taken in: ``acknowledgment``; then ``payload``, ``syn``, ``fin``,
   ``rst`` with ``rst_trigger`` and ``challenge``; ``dialogue`` (who sent data last, and what was pending); ``icmp``
   apart.
5. What can be wrong with a capture or a network: ``reordering``, ``duplicates``, ``missing``, ``sizes``, ``padding``,
   ``gaps``, ``third_party``, ``other_connection``, ``older_flow``.
6. What all of them ask: ``distance`` (how far a host is), ``time_wait``, ``over``, ``segment``, ``limits``.
7. The end of a flow: ``finish``, ``timeline``, ``ordinary``, ``ordinary_record``, ``outcome``.

When an arrow of ``tcp/states.py`` is taken is decided here, by its event:

    SENT_SYN, SENT_SYN_ACK, SYN_AGAIN,
    SYN_ACK_AGAIN, REPLACED                   syn
    RCVD_SYN_ACK, ACK_OF_FIN_AGAIN            acknowledgment
    RCVD_ACK_OF_SYN                           acknowledgment; step, where that was not captured
    SENT_FIN, FIN_AGAIN                       fin; acknowledgment and reordering, where it was not captured
    RCVD_FIN, RCVD_ACK_OF_FIN                 acknowledgment; fin and reordering, where something was overtaken
    SENT_MID_STREAM, DATA_AFTER_FIN,
    DATA_AFTER_PEER_FIN                       payload
    SENT_RST, RCVD_RST, RST_AGAIN             rst; reordering
    RST_IGNORED                               rst, third_party
    TIMER                                     moves, with time_wait; rst, where a RST shows it
    STALE_ACK                                 other_connection
    LOST_SIGHT                                acknowledgment, finish
    CAPTURE_END                               finish

``storage`` is how all this is kept in memory; ``fast_path`` tells a connection without surprises from its segments at
once. The tracker works without the fast path too, and with the same results (``--no-fast-path``).
"""
