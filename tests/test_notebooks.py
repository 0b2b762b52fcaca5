"""The notebooks run from top to bottom, as somebody would run them, say what they promise and show their figures."""

from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
SAID = {
    "who-leaks-sockets": ("TD101", "a minute", "CLOSE_WAIT"),
    "time-wait-and-ports": ("TIME_WAIT timer of 60 s", "90 % of 30 ports", "old_stream"),
    "whose-rst-whose-timer": ("240.02 s of silence", "Azure Load Balancer", "number of hops"),
    "your-own-rule": ("since_data_s", "aborted"),
    "before-and-after": ("TD102", "Got better", "none of 40"),
}
FIGURES = {  # of matplotlib, and ladders
    "who-leaks-sockets": (1, 0),
    "time-wait-and-ports": (1, 0),
    "whose-rst-whose-timer": (1, 1),
    "your-own-rule": (0, 1),
    "before-and-after": (4, 0),
}


def executed(path: Path) -> list[Any]:
    """Run a notebook in its own folder; the outputs of its cells."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


# Its servers and sockets belong to other libraries; what they leave open is not ours to judge.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SAID)
def test_it_runs_and_says_what_it_promises(name: str) -> None:
    outputs = executed(FOLDER / f"{name}.ipynb")
    said = "\n".join(str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in outputs)
    for words in SAID[name]:
        assert words in said
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert (kinds.count("image/png"), kinds.count("image/svg+xml")) == FIGURES[name]


def test_every_notebook_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(SAID)
