"""``--metrics PORT``: the census and the counts, served to Prometheus by its own client library.

Served on the loopback interface unless another address is given, because addresses of whoever talks to whom are
nobody else's business. At most ``MOST_GROUPS`` groups are served, those with the most closing sockets first: every
combination of labels is a time series that Prometheus keeps for ever.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from analyzer.errors import UsageError
from analyzer.live.announcements import Announcement
from analyzer.live.census import STATES, SocketGroup
from analyzer.live.viewers import BaseViewer
from analyzer.live.watch import Watch
from analyzer.tracker.outcome import Ledger

MOST_GROUPS = 1000
MOST_FINDINGS = 5000  # combinations of code and endpoint
LABELS = ["role", "address", "server", "port", "state"]


class Metrics(BaseViewer):
    """The endpoint; what it serves is replaced after each look."""

    def __init__(self, port: int, address: str) -> None:
        try:
            import prometheus_client
        except ImportError:
            raise UsageError("--metrics needs prometheus-client: pip install 'teardown[live]'") from None
        self._lock = threading.Lock()
        self._groups: list[SocketGroup] = []
        self._found: Counter[tuple[str, str, str]] = Counter()
        self._numbers = {"packets": 0, "lost": 0, "kept": 0, "finished": 0}
        registry = prometheus_client.CollectorRegistry()
        registry.register(self)
        try:
            self._server, self._thread = prometheus_client.start_http_server(port, address, registry)
        except OSError as error:
            raise UsageError(f"--metrics: cannot listen on {address} port {port}: {error.strerror or error}") from None
        self.port: int = self._server.server_port

    def told(self, news: Sequence[Announcement], now_ns: int, watch: Watch) -> None:
        with self._lock:
            for told in news:
                row = told.finding
                label = (str(row.code), str(row.severity), f"{row.server_ip}:{row.server_port}")
                if not told.over and (label in self._found or len(self._found) < MOST_FINDINGS):
                    self._found[label] += 1 + told.more

    def looked(self, ledger: Ledger, now_ns: int, watch: Watch) -> None:
        groups = watch.groups[:MOST_GROUPS]
        totals = watch.totals
        with self._lock:
            self._groups = groups
            self._numbers = {
                "packets": totals.packets, "lost": totals.lost, "kept": ledger.flows, "finished": totals.flows,
            }  # fmt: skip

    def collect(self) -> Iterator[Any]:
        """What Prometheus asks for, in the library's terms."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        with self._lock:
            groups, found, numbers = list(self._groups), dict(self._found), dict(self._numbers)
        sockets = GaugeMetricFamily("teardown_sockets", "Sockets in each state now", labels=LABELS)
        for group in groups:
            for state in STATES:
                if count := group.counts.get(state.name):
                    where = [group.role, group.address, group.server, str(group.port), state.name]
                    sockets.add_metric(where, count)
        yield sockets
        findings = CounterMetricFamily("teardown_findings", "Findings announced", labels=["code", "severity", "server"])
        for label, count in found.items():
            findings.add_metric(list(label), count)
        yield findings
        yield CounterMetricFamily("teardown_packets", "Packets analysed", value=numbers["packets"])
        yield CounterMetricFamily("teardown_packets_lost", "Packets the capture lost", value=numbers["lost"])
        yield GaugeMetricFamily("teardown_connections_kept", "Connections in memory", value=numbers["kept"])
        yield CounterMetricFamily("teardown_connections_finished", "Connections finished", value=numbers["finished"])

    def close(self, watch: Watch) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
