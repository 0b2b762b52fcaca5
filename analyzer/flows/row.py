"""What is kept of a conversation: one row of the flow table."""

import numpy as np

# Each field of a row as numpy takes it, and what it means.
COLUMNS: dict[tuple[str, str] | tuple[str, str, tuple[int, ...]], str] = {
    ("stream", "<u4"): "Wireshark's tcp.stream",
    ("address", "<i4", (2,)): "address of side 0 and side 1, as rows of the AddressBook",
    ("port", "<u2", (2,)): "port of side 0 and side 1",
    ("previous", "<i4"): "row of the flow that used the same addresses and ports before, or -1",
    ("isn", "<u4", (2,)): "ISN of each side where known; begun mid-stream, the first number seen less one",
    ("isn_known", "u1"): "bit 0: the ISN of side 0 is known, bit 1: that of side 1; bit 2: side 1 sent its SYN-ACK",
    ("guess", "u1"): "which side the ports of its first segment make the client: 0 or 1",
    ("quoted_only", "u1"): "1 while nothing was seen that is tracked: it has a stream, but is no flow yet",
    ("answer_ttl", "u1"): "TTL of its last SYN-ACK, 0 where there was none",
}
ANSWER_SIDE = 4  # bit 2 of ``isn_known``
FLOW = np.dtype(list(COLUMNS))
