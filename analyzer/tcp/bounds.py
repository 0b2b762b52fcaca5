"""Every formula for the times of a transition: when it happened at best, and between which bounds.

A capture shows when segments passed the tap, not when they left or reached a host. Three facts tie the two together:

* What a host sent, it sent before that passed the tap: half of the way to it and back earlier, at best.
* What passes the tap on its way to a host reaches it half of that way later, at best. It cannot arrive before it
  passed; and if it had not arrived by the time at which its sender repeats such things, a repeat would show it.
* What a host proves to have received arrived after it had passed the tap, and before the proof passed.

``tap_rtt`` is the shortest time measured from the tap to the host and back, 0 while it is not known; ``slack`` what a
host itself may take to answer; ``repeat`` the least time after which a stack repeats something. Times are nanoseconds,
0 (``NEVER``) is no bound. The functions named after an event give ``(best, earliest, latest)`` of that event. Numbers
in, numbers out: both ways of tracking call them, and nothing else reckons these times.
"""

import numpy as np

from analyzer.kernels import inlined

NEVER = np.int64(0)
GRANULE = 2_000_000_000  # Linux ends TIME_WAIT up to about two seconds late


@inlined
def one_way(tap_rtt):
    """The time from the tap to a host, or back; 0 where it is not known."""
    return tap_rtt // 2 if tap_rtt > 0 else np.int64(0)


@inlined
def shorter_rtt(tap_rtt, sample):
    """The shortest time to a host and back after another measurement of it."""
    return sample if (tap_rtt == 0) | (sample < tap_rtt) else tap_rtt


@inlined
def sent_at(now, tap_rtt):
    """When a host sent what passes the tap ``now``."""
    return now - one_way(tap_rtt)


@inlined
def sent_after(cause, now, tap_rtt, slack, earliest):
    """When a host sent what passed ``now``, and since when it may have (``earliest``, 0 no bound), once it is known how
    far it is: not before its ``cause``."""
    if earliest > 0:  # else it is the first that was seen of it: nothing bounds it
        earliest = min(earliest, max(cause, now - tap_rtt - slack))
    return min(now, max(cause, sent_at(now, tap_rtt))), earliest


@inlined
def arrives_at(now, tap_rtt):
    """When what passes the tap ``now`` reaches the host that it is sent to."""
    return now + one_way(tap_rtt)


@inlined
def arrived_by(now, tap_rtt, repeat):
    """The latest moment at which something that passes the tap ``now`` may reach a host without anything showing the
    delay: by then its sender, or the host itself, would have repeated what it answers."""
    return now + tap_rtt + repeat


@inlined
def answer_time(tap_rtt, slack):
    """How long after passing the tap something surely has reached the host, and its answer come back."""
    return (tap_rtt if tap_rtt > 0 else np.int64(0)) + slack


@inlined
def within(best, earliest, latest):
    """The best time, kept between its bounds."""
    return min(max(best, earliest), latest)


@inlined
def with_slack(best, latest, slack):
    """The latest time of a move: scheduling on the host may put it off by ``slack``."""
    return max(best, latest) + slack


@inlined
def proven_by(best, now, slack):
    """The latest time of what was assumed, once something that could not have been sent without it passes ``now``."""
    return max(best, now + slack)


# Opening


@inlined
def sent_syn(now, tap_rtt):
    """Nothing that was seen made the host ask, so nothing bounds it from below."""
    return sent_at(now, tap_rtt), NEVER, now


@inlined
def sent_syn_ack(now, tap_rtt, asked):
    """It answers the SYN, which passed at ``asked`` (in a simultaneous open, and in a capture in disorder, later)."""
    return sent_at(now, tap_rtt), min(asked, now), now


@inlined
def rcvd_syn_ack(now, tap_rtt, first, last):
    """``now`` it acknowledges the SYN-ACK, which passed from ``first`` to ``last``: the last before that is the one
    that made it answer, at best."""
    return arrives_at(last, tap_rtt), first, now


@inlined
def rcvd_ack_of_syn(now, tap_rtt, repeat):
    """The acknowledgment passes ``now`` on its way to the host, which would repeat its SYN-ACK without it."""
    return arrives_at(now, tap_rtt), now, arrived_by(now, tap_rtt, repeat)


@inlined
def opened_unseen(first, last, tap_rtt, now):
    """What it sends ``now`` only an open connection sends, though no acknowledgment of its SYN is taken to have
    arrived: one that passed from ``first`` to ``last`` did."""
    return arrives_at(last, tap_rtt), first, now


# Closing


@inlined
def earliest_decision(now, heard, busy, tap_rtt, slack, sure):
    """The earliest moment at which a host may have decided to send what passes ``now``.

    Not before ``busy``, since when it has had something else to send. On its way the segment may have taken twice as
    long as the shortest time measured. And it may be a repeat of one lost before the tap, which it could have sent any
    time since it was last ``heard`` of; unless it is ``sure`` that nothing was lost there.
    """
    earliest = busy - 2 * tap_rtt - slack
    if heard > 0 and not sure:
        earliest = min(earliest, heard - tap_rtt - slack)
    return min(earliest, now)


@inlined
def busy_since(now, idle_since, busy, answered):
    """Since when a host has had something to send without pause, if it sends something ``now``.

    All it had sent may have been acknowledged in between, at ``idle_since``: if it sends again as soon as that can have
    reached it (``answered``), the acknowledgment, or the window that opened with it, is what it had waited for.
    """
    paused = (idle_since > 0) & (now - idle_since > answered)
    return now if (busy == 0) | paused else busy


@inlined
def sent_fin(now, tap_rtt, decided):
    """It decided to close before the FIN passed: not before ``decided`` (:func:`earliest_decision`)."""
    return sent_at(now, tap_rtt), decided, now


@inlined
def sent_fin_crossing(peer_fin, tap_rtt, decided, now):
    """Its FIN was not captured, and crossed the peer's, which passed at ``peer_fin``; by ``now`` it is shown."""
    return arrives_at(peer_fin, tap_rtt), decided, now


@inlined
def sent_fin_unseen(heard, tap_rtt, now):
    """Its FIN was not captured; it came behind its last segment, which passed at ``heard``, and ``now`` it is shown."""
    return heard, sent_at(heard, tap_rtt), now


@inlined
def rcvd_fin(now, tap_rtt, slack, fin, last, lower_ack):
    """``now`` it acknowledges the FIN, which first passed at ``fin``, and with all that was repeated since at ``last``.

    It had not received it when it sent its last segment that acknowledges less, which passed at ``lower_ack``; that
    one was on its way for as long as the shortest time measured, or less.
    """
    earliest = fin
    if lower_ack > 0 and tap_rtt > 0:
        earliest = max(earliest, lower_ack - tap_rtt - slack)
    earliest = min(earliest, now)
    return min(arrives_at(max(last, earliest), tap_rtt), now), earliest, now


@inlined
def rcvd_fin_unproven(fin, tap_rtt, latest):
    """The FIN that passed at ``fin`` is taken to have arrived before something else that passed later did."""
    return arrives_at(fin, tap_rtt), fin, latest


@inlined
def rcvd_ack_of_fin(now, tap_rtt, repeat):
    """The acknowledgment passes ``now`` on its way to the host, which would repeat its FIN without it."""
    return arrives_at(now, tap_rtt), now, arrived_by(now, tap_rtt, repeat)


# Resets


@inlined
def sent_rst(now, tap_rtt, decided):
    """It gave up before the RST passed: not before ``decided``."""
    return sent_at(now, tap_rtt), decided, now


@inlined
def lost_since(decided, heard, tap_rtt, slack):
    """The same where the RST shows that the host knew no such connection: it may have lost it at any time since it was
    last ``heard`` of."""
    return min(decided, heard - tap_rtt - slack)


@inlined
def rcvd_rst(now, tap_rtt, repeat):
    """The RST passes ``now`` on its way to the host, which would go on without it."""
    return arrives_at(now, tap_rtt), now, arrived_by(now, tap_rtt, repeat)


@inlined
def rcvd_rst_after(rst, now, tap_rtt, repeat):
    """The same of a RST that passed at ``rst``, to a host that still sent something which passes ``now``."""
    return max(arrives_at(rst, tap_rtt), sent_at(now, tap_rtt)), rst, arrived_by(now, tap_rtt, repeat)


@inlined
def refused_before(now, tap_rtt, repeat):
    """The RST stands in the capture before the SYN that it refuses, which passes ``now``."""
    return now, now, arrived_by(now, tap_rtt, repeat)


# Without a segment that shows it


@inlined
def timer_ran_out(due):
    """No packet shows it; timers run in steps, so it may be later than it is ``due``, never sooner."""
    return due, due, due + GRANULE


@inlined
def expired(entered, length, latest, timed):
    """A RST shows that the host had left its state, entered at ``entered``, by ``latest``: when its timer ended, if it
    is a state with a timer of known ``length`` (``timed``) and that fits."""
    due = entered + length
    return due if timed & (due <= latest) else latest, entered, latest


@inlined
def replaced(began, now):
    """A newer connection, whose first segment passes ``now``, ``began`` then at best: this one was gone before."""
    return began, NEVER, now


@inlined
def shown_by(now, earliest):
    """Shown by what passes ``now``, and true since then at best; what made it so was not captured."""
    return now, earliest, now


@inlined
def between(best, earliest, latest):
    """Times that follow from another transition."""
    return best, earliest, latest


@inlined
def at_once(now):
    """What happens at a moment that is known: a note of what passes the tap, or the end of what was captured."""
    return now, now, now
