"""What a rule is: one file in ``rules/``, found there and named nowhere else.

A rule file is a form, always in this order: a docstring whose first line is the title and whose headings are
``HEADINGS``; ``CODE``, ``NAME``, ``SEVERITY``; ``INFO_WHEN``, where some of its findings are only worth knowing: the
words that say which ("while the window is still closed"); ``SUPERSEDES``, the vaguer codes that say the same of a flow;
``THRESHOLDS``, the fields of Settings it goes by; ``NEEDS``, signs and columns of the ledger of which a flow must show
one for the rule to have anything to say of it (see needs.py); ``ABOUT``, "capture" where it says something of how the
capture was made, left out where it is about the connection; ``LIVE_WAIT``, where that is not SETTLE; ``EXAMPLE`` and
``NEAR_MISS``, a capture that fires it and one that must not; ``MESSAGE`` and ``ADVICE``, templates (see wording.py);
and ``judge(ledger, settings)``, which answers for all flows at once. The report's text, ``teardown explain`` and the
page in the docs are made from this file. ``loading.py`` reads it, and refuses a rule that could never see what it asks
for.

The answer is a :class:`Verdict`. Its arrays have shape (flows, 2), read at the endpoint that is blamed, or (flows,).
What the whole capture tells of the blamed hosts may change its words: ``hindsight(address, values, hosts)`` is asked
once at the end, with the columns of its values, and answers with the values that change (see hosts.py). Where the
value named DOUBT is not 0, the confidence becomes low. An ``EXAMPLE`` may be a
folder: its files are given together.

Two forms of rules judge many flows together and answer with a :class:`Crowd`. ``judge(ledger, settings)`` is given the
flows left in CLOSE_WAIT. ``judge(flows: AllFlows, settings)`` is given a few columns of all flows of the capture,
ordinary ones included (see all_flows.py), and is asked once, when each of them is over; it has no ``NEEDS``. Where it
needs thousands of flows, its EXAMPLE is smaller and is analysed with the settings ``EXAMPLE_SETTINGS``. A rule that
judges single flows, or all, may say something of many besides, under the same code: ``judge_many(flows: AllFlows,
settings)`` with words of its own, ``MESSAGE_OF_MANY`` and ``ADVICE_OF_MANY``. A rule about the capture as a whole has
no ``NEEDS`` either, is ``judge(recording, settings)``, and answers with :class:`OfCapture` or None.

``LIVE_WAIT`` is how long after the moment of the finding ``teardown live`` announces it, in nanoseconds. A rule waits
for one of two reasons: it needs silence to be right (a FIN just sent is not yet unanswered), or its numbers still grow;
then it says ``AT_THE_END``, since one line at the connection's end says more than ten on the way.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.hosts import Hosts
from analyzer.findings.needs import Needs
from analyzer.settings import Settings
from analyzer.units import SECOND
from analyzer.vocabulary import INFO

Bools = NDArray[np.bool_]
HEADINGS = ("What it sees", "Why it matters", "When it is harmless", "What to do next")
DOUBT = "doubt"  # the value by which hindsight makes findings less sure
CONNECTION, CAPTURE = ABOUTS = ("connection", "capture")  # what a rule may be about
SETTLE = SECOND // 2  # the usual wait, more than a round trip: what contradicts a RST has come by then
AT_THE_END = -1  # the wait of what is announced only when the connection is over


class Choice(NamedTuple):
    """Words that differ from row to row, kept as small numbers until a row is put into words."""

    codes: NDArray[Any]  # places in ``words``, in one of the ledger's shapes
    words: tuple[str, ...]


class Verdict(NamedTuple):
    """What a rule says of all flows at once.

    ``fires`` of shape (flows, 2) blames endpoints, of shape (flows,) nobody. ``when`` is the time of the frame that
    decides, in ns; ``frames`` are the frames that prove it, 0 for none. ``values`` fill the templates.
    """

    fires: Bools
    when: NDArray[Any]
    frames: Sequence[NDArray[Any]]
    values: Mapping[str, NDArray[Any] | Choice] = MappingProxyType({})
    rests_on: Sequence[NDArray[Any]] = ()  # Basis codes of the states it rests on
    absence: bool = False  # it rests on something not having been sent: a gap leaves another reading
    both_directions: Bools | None = None  # where it rests on the capture's showing both directions wherever they were
    certain: bool = False  # a fact about the capture itself, which nothing missing can change
    unless_hidden: bool = False  # but packets that were captured and not understood may hold what it says is missing
    unsure: Bools | None = None  # where it is not certain for a reason of its own
    doubt: Bools | None = None  # where the capture's start, end or losses leave another reading
    not_judged: Sequence[tuple[str, Bools]] = ()  # (reason, where) it cannot judge
    info: Bools | None = None  # where it is only worth knowing, whatever the rule's severity: see INFO_WHEN


class Crowd(NamedTuple):
    """What a rule says of many flows together: one entry a crowd, arrays of one length.

    ``address`` (row of the address book) and ``port`` (0 for any) name whom it blames, in the role ``server``
    or client. ``other_address`` and ``other_port`` name the other end where the crowd shares it, else -1 and 0.
    Where each crowd is a few flows that are one connection, ``about`` says which.
    """

    address: NDArray[Any]
    port: NDArray[Any]
    server: Bools
    when: NDArray[Any]
    frames: Sequence[Sequence[int]]
    confidence: NDArray[Any]  # places in CONFIDENCES
    values: Mapping[str, NDArray[Any]] = MappingProxyType({})
    other_address: NDArray[Any] | None = None
    other_port: NDArray[Any] | None = None
    decides: Sequence[int] | None = None  # of the frames of each, the one that passed at ``when``; None: the last
    info: Bools | None = None  # as of a Verdict
    about: "AboutFlows | None" = None
    members: "Members | None" = None


class AboutFlows(NamedTuple):
    """Of which flow each of some findings is, and when that began, in ns. Nobody is blamed. On this flow and on its
    ``partner`` the findings are withdrawn that the rule supersedes."""

    stream: NDArray[np.int64]
    start: NDArray[np.int64]
    partner: NDArray[np.int64]


class Members(NamedTuple):
    """Whom each of some crowds is made of, so that the same is not said twice. A crowd is left out where findings of
    the codes ``told_by`` are of most of its members; else those of the codes ``replaced`` are withdrawn of them."""

    streams: Sequence[NDArray[np.int64]]
    told_by: tuple[str, ...]
    replaced: Sequence[tuple[str, ...]]


class OfCapture(NamedTuple):
    """What a rule says of the capture itself: one thing, of which it is sure, and nobody is blamed."""

    when: int
    frames: Sequence[int]
    decides: int  # which of them passed at ``when``
    values: Mapping[str, int | str] = MappingProxyType({})


class CannotJudge(NamedTuple):
    """A rule that could not be applied to some flows, and why."""

    code: str
    reason: str
    flows: int


Judge = Callable[[Any, Settings], Verdict | Crowd | OfCapture | None]
Hindsight = Callable[[NDArray[Any], Mapping[str, NDArray[Any]], Hosts], Mapping[str, Choice]]


class Rule(NamedTuple):
    """A rule file as an object."""

    code: str
    name: str
    severity: str
    info_when: str  # where a finding of it is only worth knowing, "" if none is
    title: str
    page: str
    supersedes: tuple[str, ...]
    thresholds: tuple[str, ...]
    needs: Needs
    about: str
    live_wait: int
    example: str
    example_settings: Mapping[str, int]
    near_miss: str
    message: str
    advice: str
    judge: Judge
    hindsight: Hindsight | None
    crowd: bool  # it says something of many flows together
    of_all_flows: bool  # namely of all flows of the capture
    of_capture: bool  # or it says something of the capture
    of_many: "Rule | None" = None  # what it says of many flows, besides, as a rule with the same code
    besides: bool = False  # it is what another rule with the same code says of many flows

    @property
    def key(self) -> str:
        """Its code; another where it is what a rule says besides."""
        return f"{self.code} of many" if self.besides else self.code

    @property
    def severities(self) -> str:
        """The severity of its findings; "warning or info" where it is not the same of all."""
        return f"{self.severity} or {INFO}" if self.info_when else self.severity

    @property
    def about_capture(self) -> bool:
        """Whether it says something of how the capture was made: of a flow, or of the whole. Then nothing is wrong
        with the connection, and packets that are missing do not make it less sure."""
        return self.about == CAPTURE

    @property
    def while_watching(self) -> bool:
        """Whether it is asked of all flows while they come and leave, and needs no more than the newest of them."""
        return self.of_all_flows and not self.besides and self.live_wait != AT_THE_END

    @property
    def of_flows(self) -> bool:
        """Whether what it says of a flow rests on that flow alone."""
        return not self.crowd and not self.of_capture
