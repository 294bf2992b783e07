"""A small network with weights, exported once, and crops to run it on."""

from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.engines import select
from pytracking_et.engines.catalogue import Model
from pytracking_et.engines.package import sample_crop

# One small subnet of the LightTrack space: exports and compiles in a second or two.
NETWORK = "back_00000000000000000000+cls_000222222+reg_000222222_ops_32"


@pytest.fixture(scope="session")
def weight_file(tmp_path_factory):
    """Weights of `NETWORK`, random but the same every time."""
    import torch

    from pytracking_et.network import build, weights

    torch.manual_seed(0)
    module = build(NETWORK)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(layer.running_mean, std=0.1)
            torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
        elif isinstance(layer, torch.nn.Conv2d):
            # torch's own start would let the signal fade: every target would look the same.
            torch.nn.init.kaiming_normal_(layer.weight)
            layer.weight.data *= 0.85
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    weights.save(path, module.state_dict(), {"network": NETWORK}, half=False)
    return path


@pytest.fixture
def fresh_engines():
    """No engine of an earlier test is kept in the process."""
    select._open.cache_clear()
    yield
    select._open.cache_clear()


@pytest.fixture(scope="session")
def template():
    return sample_crop(127, 5)


@pytest.fixture(scope="session")
def searches():
    return [sample_crop(side, seed) for seed, side in enumerate((256, 288, 256), 7)]


@pytest.fixture(scope="session")
def ready_cache(tmp_path_factory, weight_file):
    """A cache folder in which `NETWORK` has been exported."""
    pytest.importorskip("onnx")
    from pytracking_et.engines.inference.tracing import write

    folder = tmp_path_factory.mktemp("export")
    write(Model.find(NETWORK, weight_file), folder)
    return folder


@pytest.fixture
def exported_here(ready_cache, weight_file):
    """The export, copied to where this test's cache has it; returns the folder."""
    import shutil

    from pytracking_et.engines.cache import export_folder

    target = export_folder(Model.find(NETWORK, weight_file), "f32")
    shutil.copytree(ready_cache, target)
    return target


def maps(engine, template, search):
    engine.template(template)
    return [np.array(value) for value in engine.track(search)]
