"""Who waited for whom: TD406, and the place in the dialogue that other findings name."""

from itertools import pairwise

from tests.second_opinion.closing import distinct_bytes, is_probe
from tests.second_opinion.opinion import Case, absent, must, predicate
from tests.second_opinion.packets import ahead


@predicate("TD406")
def gave_up_waiting(case: Case) -> None:
    flow, sent, acked = case.flow, case.segment("sent", case.own), case.segment("acked", case.peer)
    last = case.segment("last", case.own)
    must(sent.length and not is_probe(flow, sent), f"frame {sent.frame} carries no data")
    must(last.rst if "RST" in str(case["ended"]) else last.fin, f"frame {last.frame} is no such end")
    case.happened("when", last)
    case.lasted("waited", last.time - sent.time)
    must(acked.frame < last.frame and acked.covers(sent.data_end), f"frame {acked.frame} does not acknowledge them")
    first = flow.first_covering(case.peer, sent.data_end)
    must(first == acked, f"frame {first.frame if first else None} acknowledges them first")
    ends = [row for row in flow.before(last) if (row.fin or row.rst) and not row.syn]
    absent(ends, "frame {} ended the connection before")
    own = [row for row in flow.before(last) if row.side == case.own and row.length and row.frame > sent.frame]
    absent(
        [row for row in own if not is_probe(flow, row) and ahead(row.data_end, sent.data_end) > 0],
        "frame {} is later data",
    )
    theirs = [row for row in flow.of(case.peer) if row.length and not is_probe(flow, row)]
    answer = [row for row in theirs if row.frame > sent.frame and (row.frame < last.frame or not last.rst)]
    absent(answer, "frame {} is an answer")
    before = [row for row in theirs if row.frame < sent.frame]
    turn = [row for row in flow.of(case.own) if row.length and (not before or row.frame > before[-1].frame)]
    turn = [row for row in turn if row.frame <= sent.frame and not is_probe(flow, row)]
    pauses = [later.time - earlier.time for earlier, later in pairwise(turn)]
    must(max(pauses, default=0) < 3_000_000_000, "it had sent more without an answer: it waits for none")
    case.counted("size", distinct_bytes(turn))
    if last.fin:
        must(before, "the server had never answered: it may be an upload")
        must(flow.fins(case.peer), "the other side did not close")
