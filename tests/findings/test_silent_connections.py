"""An open connection that is silent for long is told only where nothing is under way in it and nobody probes."""

from pathlib import Path

import pytest

from tests.findings.filed import OPENED, analyzed, codes

OTHERS = "\n\n".join(f"A S 0:1\nB S. 0:1 ack 1\n+{wait}000 A R 1:1" for wait in (50, 100))
NEXT_TO_IT = f"{OPENED}\n+X end\n\n{OTHERS}"
IN_FLIGHT = NEXT_TO_IT.replace("\n+X", "\nA P. 101:201 ack 201\n+X")
PROBED = NEXT_TO_IT.replace("\n+X", "\n+1000 A . 100:100 ack 201\n+2 B . 201:201 ack 101\n+X")
CLOSING = NEXT_TO_IT.replace("\n+X", "\n+30000 A F. 101:102 ack 201\n+X")


@pytest.mark.parametrize(("story", "told"), [(NEXT_TO_IT, True), (IN_FLIGHT, False), (PROBED, False), (CLOSING, False)])
def test_only_an_idle_connection_without_probes_is_told(story: str, told: bool, tmp_path: Path) -> None:
    result = analyzed(story.replace("X", "300000"), tmp_path, open_silence_s=60)
    assert ("TD407" in codes(result)) == told


def test_the_flow_itself_names_the_finding(tmp_path: Path) -> None:
    result = analyzed(NEXT_TO_IT.replace("X", "300000"), tmp_path, open_silence_s=60)
    assert result.flows["findings"].tolist()[0] == "TD407"
