"""What is kept of a conversation: one row of the flow table."""

import numpy as np

# Each field of a row as numpy takes it, and what it means.
COLUMNS: dict[tuple[str, str] | tuple[str, str, tuple[int, ...]], str] = {
    ("stream", "<i8"): "Wireshark's tcp.stream",
    ("address", "<i4", (2,)): "address of side 0 and side 1, as rows of the AddressBook",
    ("port", "<u2", (2,)): "port of side 0 and side 1",
    ("first_frame", "<i8"): "frame.number of its first segment; while quoted_only, of the first quotation",
    ("first_time", "<i8"): "time of that frame, nanoseconds since 1970 UTC",
    ("guess", "u1"): "which side the ports of its first segment make the client: 0 or 1",
    ("client", "u1"): "which side is the client as far as is known: 0 or 1",
    ("client_basis", "u1"): "2: it sent the SYN, 1: the other side sent a SYN-ACK, 0: guessed from the ports",
    ("previous", "<i4"): "row of the flow that used the same addresses and ports before, or -1",
    ("quoted_only", "u1"): "1 while nothing was seen that is tracked: it has a stream, but is no flow yet",
    ("isn", "<u4", (2,)): "ISN of each side where known; begun mid-stream, the first number seen less one",
    ("isn_known", "u1"): "bit 0: the ISN of side 0 is known, bit 1: that of side 1",
}
FLOW = np.dtype(list(COLUMNS))
