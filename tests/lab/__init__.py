"""A laboratory of real kernels' TCP: host A, router M and host B in network namespaces of one machine.

    A  ----veth----  M  ----veth----  B
    10.n.1.2         router           10.n.2.2        (and fd00:n:1::2, fd00:n:2::2)

The sockets are ordinary Python sockets, made inside the namespaces and used from anywhere in the process: a
namespace belongs to the socket, not to who calls it. So a scenario is a plain function that holds both ends::

    with Lab() as lab, lab.a.tap("eth0", path):
        client, server = lab.connect()
        client.close()
        server.close()

What each module adds: `hosts` the namespaces, `network` the wiring between them, `taps` tcpdump, `loss` the
nftables rules that lose chosen packets, `relay` delay, reordering and duplication in user space, `forge`
packets no kernel would send, `pcapfile` reading and editing what was recorded. The kernel's own account of
what happened (trace events, sock_diag) has its place beside `taps`: it too is started on a host and stopped
with it. Every lab's addresses come from its ``number``, so that events of the whole machine can be told apart
by address.

Root is needed, and iproute2, nftables, tcpdump; `missing()` says what is not there.
"""

from .hosts import Host
from .loss import Loss
from .network import Lab, missing
from .relay import Relay
from .taps import Tap

__all__ = ["Host", "Lab", "Loss", "Relay", "Tap", "missing"]
