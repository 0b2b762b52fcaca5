"""What Prometheus is served, against ss on the same host; and the census behind it."""

import re
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.lab.hosts import Host
from tests.lab.network import Lab, missing
from tests.live.test_traffic import Watching

pytest.importorskip("prometheus_client", reason="needs prometheus-client (the extra live)")
needs_lab = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
SS_STATES = {
    "ESTAB": "ESTABLISHED", "CLOSE-WAIT": "CLOSE_WAIT", "FIN-WAIT-2": "FIN_WAIT_2", "TIME-WAIT": "TIME_WAIT",
    "FIN-WAIT-1": "FIN_WAIT_1", "LAST-ACK": "LAST_ACK", "SYN-SENT": "SYN_SENT",
}  # fmt: skip


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(42) as made:
        yield made


def served(host: Host) -> str:
    script = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
    return host.run("python3", "-c", script)


def by_state(metrics: str, role: str) -> Counter[str]:
    found: Counter[str] = Counter()
    line = r'teardown_sockets\{.*role="(\w+)".*state="(\w+)".*\} ([\d.]+)'
    for role_found, state, count in re.findall(line, metrics):
        if role_found == role:
            found[state] += int(float(count))
    return found


def ss(host: Host) -> Counter[str]:
    lines = host.run("ss", "-Htan", "state", "connected").splitlines()
    return Counter(SS_STATES[line.split()[0]] for line in lines if "127.0.0.1" not in line)


@needs_lab
def test_states_served_are_those_of_ss(lab: Lab) -> None:
    watching = Watching(lab.a, "--metrics", "9464", "--close-wait-leak", "2")
    kept = []
    for group in range(12):
        client, server = lab.connect(8080)
        if group % 4 == 0:
            client.close()  # FIN_WAIT_2 at A, CLOSE_WAIT at B
        elif group % 4 == 1:
            server.close()  # the other way round
        elif group % 4 == 2:
            client.close()
            server.close()  # TIME_WAIT at A
        kept += [client, server]
    watching.until("TD101", 6)
    time.sleep(1.5)
    metrics = served(lab.a)
    assert by_state(metrics, "client") == ss(lab.a) == Counter(ESTABLISHED=3, FIN_WAIT_2=3, CLOSE_WAIT=3, TIME_WAIT=3)
    assert by_state(metrics, "server") == ss(lab.b) == Counter(ESTABLISHED=3, FIN_WAIT_2=3, CLOSE_WAIT=3)
    assert re.search(r'teardown_findings_total\{code="TD101",server="10.42.2.2:8080",severity="error"\} 6.0', metrics)
    assert "teardown_packets_lost_total 0.0" in metrics
    assert watching.end() == (0, "")


@needs_lab
def test_it_listens_on_loopback_only(lab: Lab) -> None:
    watching = Watching(lab.a, "--metrics", "9464")
    listening = lab.a.run("ss", "-Htln")
    assert "127.0.0.1:9464" in listening
    assert listening.count("9464") == 1
    assert watching.end() == (0, "")
