"""The notebooks run from top to bottom, as somebody would run them, and say what they promise."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"


def executed(path: Path) -> str:
    """Run a notebook in its own folder; everything its cells print."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in outputs)


# Its servers and sockets belong to other libraries; what they leave open is not ours to judge.
@pytest.mark.filterwarnings("ignore")
def test_who_leaks_sockets() -> None:
    said = executed(FOLDER / "who-leaks-sockets.ipynb")
    assert "TD101" in said
    assert "a minute" in said
    assert "CLOSE_WAIT" in said


def test_every_notebook_is_tested() -> None:
    source = Path(__file__).read_text("utf8")
    assert all(path.name in source for path in FOLDER.glob("*.ipynb"))
