"""Losing chosen packets in the router, with nftables: the first FIN, the last ACK, everything after a moment.

A rule stands in the router's forward hook and sees a packet once, as it comes from a host, whether or not a
relay is in use. A tap on the sender's side of the router sees the packet before it is lost, a tap on the
other side never does. Which of the matching packets are lost is counted by the rule itself (``numgen inc``),
so it is exact, not a rate.

`Loss.reject` does what a firewall does that is told to say no: the packet is lost behind the middle of the path, and
the router answers with a RST in its receiver's name.
"""

from __future__ import annotations

from .hosts import Host

TABLE = "lab"
FOR_EVER = 1 << 31

FIN = "tcp flags & fin == fin"
SYN = "tcp flags & (syn | ack) == syn"
SYN_ACK = "tcp flags & (syn | ack) == syn | ack"
RST = "tcp flags & rst == rst"
BARE_ACK = "tcp flags & (syn | fin | rst | psh) == 0x0"  # data without PSH too, where a sender leaves PSH out
EVERYTHING = "meta l4proto tcp"


class Loss:
    """The router's rules; none at first."""

    def __init__(self, router: Host) -> None:
        self._router = router
        self._made = False

    def _make_chain(self) -> None:
        hook = "{ type filter hook forward priority 0; policy accept; }"
        for words in (f"add table inet {TABLE}", f"add chain inet {TABLE} forward {hook}"):
            self._router.run("nft", words)
        self._made = True

    def lose(self, what: str, *, by: str = "", first: int = FOR_EVER, skip: int = 0) -> None:
        """Lose the packets that match ``what`` from now on.

        what: an nftables expression, such as `FIN` above.
        by: ``a`` or ``b``, only packets this host sent; empty for both.
        first: how many are lost; skip: how many pass before that.
        """
        if not self._made:
            self._make_chain()
        direction = f'iifname "to-{by}"' if by else 'iifname { "to-a", "to-b" }'
        count = "" if first == FOR_EVER and not skip else self._counted(first, skip)
        self._router.run("nft", f"add rule inet {TABLE} forward {direction} {what} {count} counter drop")

    @staticmethod
    def _counted(first: int, skip: int) -> str:
        last = min(skip + first, FOR_EVER) - 1
        return f"numgen inc mod {FOR_EVER} {skip}-{last}" if last > skip else f"numgen inc mod {FOR_EVER} {skip}"

    def reject(self, what: str, *, by: str) -> None:
        """From now on answer the packets of host ``by`` that match ``what`` with a RST in their receiver's name. It is
        done behind the middle of the relay, so a tap there sees both.
        """
        if not self._made:
            self._make_chain()
        came_out_of = {"a": "middle-b", "b": "middle-a"}[by]
        rule = f'iifname "{came_out_of}" {what} counter reject with tcp reset'
        self._router.run("nft", f"add rule inet {TABLE} forward {rule}")

    def nothing(self) -> None:
        """Lose and reject nothing any more."""
        if self._made:
            self._router.run("nft", "flush", "chain", "inet", TABLE, "forward")
