"""The columns of the ledger that are Zeek's view of an endpoint, and of a flow: name, numpy type, meaning."""

OF_ENDPOINT = (
    ("zeek_start", "<u4", "the number from which its others count, modulo 2^32: its SYN's, or one before its first"),
    ("zeek_last", "<u4", "the number after the last it sent"),
    ("zeek_acked", "<u4", "up to where that is acknowledged"),
    ("zeek_arrived", "<u4", "up to where its payload passed without a hole, or the hole was given up"),
    ("zeek_begin_0", "<u4", "where a piece of payload beyond a hole begins"),
    ("zeek_end_0", "<u4", "and ends"),
    ("zeek_begin_1", "<u4", "where another begins"),
    ("zeek_end_1", "<u4", "and ends"),
    ("zeek_fin", "<u4", "the number after its FIN"),
    ("zeek_syn_at", "<u4", "the number of its last SYN"),
    ("zeek_fin_at", "<u4", "the number of its last FIN"),
    ("zeek_rst_at", "<u4", "the number of its last RST"),
    ("zeek_repeats", "<u4", "segments whose payload held nothing new"),
    ("zeek_windows", "<u4", "segments with a window of 0"),
    ("zeek_gaps", "<u4", "holes that were acknowledged"),
    ("zeek_state", "u1", "its state (``zeek.states``)"),
    ("zeek_before", "u1", "the state before that"),
    ("zeek_marks", "u1", "bits of SENT_FIN, GIVEN_UP, LONG (``zeek.gaps``)"),
    ("zeek_pieces", "u1", "pieces beyond a hole that are kept"),
)
OF_FLOW = (
    ("history_0", "<i8", "the first twelve letters of its history (``zeek.letters``)"),
    ("history_1", "<i8", "the next twelve"),
    ("history_2", "<i8", "the last twelve that are kept"),
    ("zeek_once", "<u2", "kinds of letters that either role has written"),
    ("zeek_opener", "u1", "the side that Zeek takes for the originator"),
)
