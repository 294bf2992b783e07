"""The example notebook runs from top to bottom and draws its figures."""

from __future__ import annotations

import sys

import pytest

from .blocks import ROOT

NOTEBOOK = ROOT / "docs" / "examples" / "first_minutes.ipynb"
# Frames rendered in the test; the notebook itself renders more.
FRAMES = ("render(frames=60)", "render(frames=12)")


def test_committed_without_outputs():
    """Outputs would make every execution a change, and show figures of other weights."""
    nbformat = pytest.importorskip("nbformat", reason="reads notebooks; extra test")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.slow
def test_notebook_runs(at_work, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="reads notebooks; extra test")
    nbclient = pytest.importorskip("nbclient", reason="executes notebooks; extra test")
    manager = pytest.importorskip("jupyter_client.manager", reason="starts kernels; extra test")
    pytest.importorskip("ipykernel", reason="the kernel; extra test")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(*FRAMES)
    # The kernel of this interpreter, whichever the machine has registered under this name.
    kernels = manager.AsyncKernelManager()
    kernels.kernel_spec.argv[0] = sys.executable
    monkeypatch.delenv("MPLBACKEND")  # the kernel's own puts figures into the notebook
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    client = nbclient.NotebookClient(
        notebook, timeout=600, km=kernels, resources={"metadata": {"path": str(at_work)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    figures = [one for one in outputs if "image/png" in one.get("data", {})]
    assert len(figures) == 4
    assert any("rule pytracking" in one.get("text", "") for one in outputs)
