"""int8 graphs: made from calibration frames, then an engine like the others."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pytracking_et.engines import create
from pytracking_et.engines.deliver import deliver
from tests.engines.conftest import NETWORK, maps

pytest.importorskip("onnxruntime.quantization")
pytestmark = pytest.mark.usefixtures("fresh_engines")


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames" / "t"
    folder.mkdir(parents=True)
    random = np.random.RandomState(0)
    for frame in range(4):
        picture = cv2.resize(random.randint(0, 256, (12, 16, 3)).astype(np.uint8), (160, 120))
        cv2.imwrite(str(folder / f"{frame:05d}.jpg"), picture)
    rows = [f"t,{frame},40,30,40,40" for frame in range(4)]
    (folder.parent / "annotations.csv").write_text("track,frame,x,y,w,h\n" + "\n".join(rows))
    return folder.parent


@pytest.mark.slow
def test_int8_stays_close(
    tmp_path, weight_file, exported_here, frames, monkeypatch, template, searches
):
    import onnx

    from pytracking_et.engines import quantise

    monkeypatch.setattr(quantise, "PAIRS", 4)
    metadata, difference = deliver(
        "onnx", tmp_path / "graphs", NETWORK, weight_file, "int8", frames
    )
    assert metadata.precision == "int8" and difference["score"] < 0.2
    graph = onnx.load(str(tmp_path / "graphs" / "search_256.onnx")).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("QuantizeLinear") > 5
    engine = create("onnx", NETWORK, weight_file, threads=1, precision="int8")
    assert engine.name == "onnx int8"
    plain = create("onnx", NETWORK, weight_file, threads=1, precision="f32")
    a, b = maps(engine, template, searches[0]), maps(plain, template, searches[0])
    assert 0 < np.abs(a[0] - b[0]).max() < 0.2
