"""How each flow ended, as one row of numbers: what flows.csv says of it, before numbers become words.

Words are codes, places in the vocabularies of ``outcome`` and ``states``; addresses are rows of the address
book. A time or a length of time that is not known is UNKNOWN; a frame that is not known is 0.
"""

import numpy as np

UNKNOWN = np.iinfo(np.int64).min  # numpy's NaT

ENDING = np.dtype(
    [
        ("stream", "<i8"),
        ("client_ip", "<i4"),  # row of the address book
        ("server_ip", "<i4"),
        ("client_port", "<u2"),
        ("server_port", "<u2"),
        ("first_frame", "<u4"),
        ("last_frame", "<u4"),
        ("findings", "<u4"),  # number of the combination of codes found about it, 0 none
        ("first_epoch", "<i8"),
        ("last_epoch", "<i8"),
        ("duration_s", "<i8"),  # nanoseconds, as all lengths of time
        ("client_bytes", "<i8"),
        ("server_bytes", "<i8"),
        ("client_packets", "<u4"),
        ("server_packets", "<u4"),
        ("client_fin_epoch", "<i8"),
        ("server_fin_epoch", "<i8"),
        ("client_fin_acked_epoch", "<i8"),
        ("server_fin_acked_epoch", "<i8"),
        ("client_close_wait_s", "<i8"),
        ("server_close_wait_s", "<i8"),
        ("client_fin_wait_2_s", "<i8"),
        ("server_fin_wait_2_s", "<i8"),
        ("idle_before_close_s", "<i8"),
        ("handshake", "u1"),  # Handshake
        ("closed_by", "u1"),  # place in CLOSER_WORDS
        ("teardown", "u1"),  # Teardown
        ("client_state", "u1"),  # State
        ("server_state", "u1"),
        ("rst_by", "u1"),  # 0 client, 1 server, 2 nobody
        ("rst_cause", "u1"),  # RstCause
        ("observability", "u1"),  # place in OBSERVED_WORDS
        ("client_known", "u1"),
    ]
)

# One thing that happened to an endpoint: a row of timeline.csv.
ENTRY = np.dtype(
    [
        ("time", "<i8"),  # best time
        ("earliest", "<i8"),  # 0 where there is no bound
        ("latest", "<i8"),
        ("end", "<u4"),  # 2 * place of its flow's ENDING + 0 for the client, 1 for the server
        ("frame", "<u4"),  # 0 where no packet shows it
        ("event", "u1"),  # Event
        ("arrow", "u1"),  # row of the transition table, NO_ARROW where it has none
        ("from_state", "u1"),
        ("state", "u1"),
        ("basis", "u1"),
        ("note", "u1"),
    ]
)
