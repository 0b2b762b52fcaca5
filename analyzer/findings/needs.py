"""What a rule asks of a flow to have anything to say of it: its ``NEEDS``, made ready and checked.

A need is a :class:`~analyzer.tracker.signs.Sign`, or a column of the ledger that is 0 wherever nothing out of the
ordinary happened; then an endpoint, or the flow, must show another number there. One need that holds is enough. A rule
is given the flows of which one holds, all of them, and no others: so what it says must follow from its needs.

A rule that asks for something that it could never see is refused when the rules are loaded.
"""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.errors import UnusableRule
from analyzer.findings.ledger_view import LedgerView
from analyzer.tracker.ledger import CONNECTION, ENDPOINT, OLDER
from analyzer.tracker.signs import Sign, sign_of_column
from analyzer.tracker.storage.transpose import AGAIN, OF_OTHER


class Needs(NamedTuple):
    """The needs of a rule: ``signs`` of which a flow must show one to be looked at; of these ``enough`` are needs
    themselves, the others stand for ``columns`` one of which must differ from 0, too."""

    signs: Sign
    enough: Sign
    columns: tuple[str, ...]


OF_OLDER = frozenset(OLDER.names or ())
NO_NEEDS = Needs(Sign(0), Sign(0), ())
EVERY_SIGN = reduce(or_, Sign)


def needs_of(given: Any, where: str) -> Needs:
    """The needs that a rule file ``where`` gives. Raises UnusableRule where no flow could ever meet one of them."""
    if not isinstance(given, tuple) or not given:
        raise UnusableRule(f"{where}: NEEDS must be a tuple of signs and columns of the ledger, one at least")
    signs = [need for need in given if isinstance(need, Sign)]
    columns = [need for need in given if not isinstance(need, Sign)]
    if not all(sign and sign in EVERY_SIGN for sign in signs):
        raise UnusableRule(f"{where}: NEEDS has a sign that is none; no flow shows it")
    enough = _joined(signs)
    return Needs(enough | _joined(_sign_of(name, where) for name in columns), enough, tuple(columns))


def _joined(signs: Iterable[Sign]) -> Sign:
    joined = Sign(0)
    for sign in signs:
        joined |= sign
    return joined


def _sign_of(name: Any, where: str) -> Sign:
    """The sign of flows in which a column is not 0. Raises UnusableRule where the column does not do as a need."""
    if not isinstance(name, str) or name not in {*(ENDPOINT.names or ()), *(CONNECTION.names or ())}:
        raise UnusableRule(f"{where}: NEEDS names {name!r}, which is neither a sign nor a column of the ledger")
    sign = sign_of_column(name)
    if not sign or name in AGAIN:
        names = ", ".join(sign.name or "" for sign in Sign)
        raise UnusableRule(f"{where}: NEEDS names {name!r}, which ordinary flows have too; ask for a sign: {names}")
    if name not in {**OF_OTHER.ends, **OF_OTHER.flows}:
        raise UnusableRule(f"{where}: NEEDS names {name!r}, which the tracker keeps to itself: no rule is given it")
    return sign


def meeting(view: LedgerView, needs: Needs) -> NDArray[np.intp]:
    """The places of the flows of ``view`` that meet one of ``needs``."""
    shown = view.signs & int(needs.signs)
    if not needs.columns or not shown.any():
        return np.flatnonzero(shown)
    met = (shown & int(needs.enough)) != 0
    for name in needs.columns:
        column = view.flow(name) if name in OF_OLDER else view.own(name).any(axis=1)
        met |= column != 0
    return np.flatnonzero(met)
