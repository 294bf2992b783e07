"""Writing graphs: what is refused, and in which order files appear."""

from __future__ import annotations

import pytest
import torch

from pytracking_et.engines.catalogue import Model
from pytracking_et.engines.inference import load_network, tracing
from pytracking_et.engines.package import Metadata, reference_name
from pytracking_et.errors import CheckpointError, EngineError
from pytracking_et.network import build, weights
from pytracking_et.spec import parameter_for
from tests.engines.conftest import NETWORK

pytest.importorskip("onnx")


def test_an_added_graph_comes_after_what_it_is_checked_with(
    weight_file, exported_here, monkeypatch
):
    """Other processes take a graph that is there for finished."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tracing, "write_graph", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tracing.add_graph(Model.find(NETWORK, weight_file), exported_here, "search", 160)
    metadata = Metadata.read(exported_here)
    assert (exported_here / reference_name(metadata, "search", 160)).is_file()


class Bessel(torch.nn.Module):
    def forward(self, image):
        return torch.special.bessel_j0(image)


def test_what_onnx_cannot_express_is_told(tmp_path):
    with pytest.raises(EngineError, match="template graph cannot be written as ONNX.*bessel"):
        tracing.write_graph(Bessel(), 127, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_a_network_of_the_same_shapes_are_refused(tmp_path):
    """Those of S x S queries: everything would fit, and track as another network."""
    path = tmp_path / "s2.safetensors"
    weights.save(path, build("et_s2").state_dict(), {"network": "et_s2"})
    with pytest.raises(CheckpointError, match="of network 'et_s2', not of 'et_tracker'"):
        load_network("et_tracker", path)
    assert parameter_for(path) == "et_s2"
    load_network("et_s2", path)
