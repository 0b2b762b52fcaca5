"""Watching an interface: the same stages as for a file, looked at twice a second, for as long as one likes.

    capture.live ──packets──▶ engine.pipeline.Analysis ──look, twice a second──▶ announcements, tables, census

* ``watch`` is the loop: take packets, look, hand what is new to the ``viewers``, end in order whatever happens.
* ``announcements`` announces a finding once it has waited as long as its rule says, and again when it is over.
* ``growing_tables`` writes the tables of connections as they finish, ``packet_file`` keeps packets, ``line_output``
  prints lines.
* ``census`` counts how many sockets of each endpoint are in which state now; ``sockets`` asks the kernel the same
  and names the process (``sock_diag`` reads its answer); ``older_sockets`` and ``older_leaks`` have what it had before
  the watch began, on the interface (``interface_addresses``); ``screen`` shows it
  (``screen_tables``, ``fitting``) with ``rates`` and ``told_findings``, ``metrics`` serves it to Prometheus.

Two accounts are kept apart. An **announcement** is made while it happens and may be over later: a leak that its
garbage collector closes after a minute was a leak for a minute. The **tables** hold what is true of a connection
once it is over, or when the watch ends: they equal what ``teardown analyze`` says of the same packets.
"""
