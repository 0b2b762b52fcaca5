"""Packets as they pass: a capture program writes pcap or pcapng into a pipe, and the pipe is read like a file.

    engine (child process)  ──pipe──▶  reader (thread: packets parsed, compiled)  ──queue──▶  LiveStream.poll()

Only the child needs the privilege to capture; this program may run as anybody. Whatever the engine is, its bytes
take the one way every capture takes, so nothing is decoded twice or differently. The thread keeps the pipe empty
while the analysis works, so that a burst waits in our memory and not in the kernel's small ring.

``request`` says what to capture, ``engines`` which programs there are and how each is called, ``capture_process`` runs
one and reads what it says, ``error_messages`` puts its complaints into one line with the remedy, ``sniffer`` is the
child for scapy and pyshark, ``stream`` is what the watch reads.
"""
