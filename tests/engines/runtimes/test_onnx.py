"""How ONNX Runtime is set up."""

from __future__ import annotations

import pytest

from pytracking_et.engines import create
from tests.engines.conftest import NETWORK, maps

pytestmark = pytest.mark.usefixtures("fresh_engines")


@pytest.mark.parametrize(
    ("threads", "usable", "machine", "wanted"),
    [(None, 2, 2, 0), (None, 1, 4, 1), (2, 1, 4, 2)],
    ids=["all cores: the library decides", "in a container of one core", "as asked"],
)
def test_threads(
    threads, usable, machine, wanted, exported_here, weight_file, template, searches, monkeypatch
):
    pytest.importorskip("onnxruntime")
    from pytracking_et.engines.runtimes import onnx as onnx_engine

    session, counts = onnx_engine.onnxruntime.InferenceSession, []

    def opened(path, options, **keywords):
        counts.append(options.intra_op_num_threads)
        return session(path, options, **keywords)

    monkeypatch.setattr(onnx_engine.onnxruntime, "InferenceSession", opened)
    monkeypatch.setattr(onnx_engine, "cores", lambda: usable)
    monkeypatch.setattr(onnx_engine.os, "cpu_count", lambda: machine)
    maps(create("onnx", NETWORK, weight_file, threads, "f32"), template, searches[0])
    assert counts == [wanted, wanted]
