"""Engines by name: agreement with the plain network, targets kept apart, errors."""

from __future__ import annotations

import copy
import importlib.util
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from pytracking_et.engines import cache, create, select
from pytracking_et.errors import CheckpointError, EngineError, pip_line
from tests.engines.conftest import NETWORK, maps

pytestmark = pytest.mark.usefixtures("fresh_engines")

INSTALLED = [name for name in select.ENGINES if select.installed(name)]


@pytest.fixture(scope="session")
def plain(weight_file):
    """Maps of the network as built: nothing folded, nothing lowered."""
    import torch

    from pytracking_et.engines.inference import load_network
    from pytracking_et.network import MEAN, STD

    network = load_network(NETWORK, weight_file)
    mean, std = np.array(MEAN) * 255, np.array(STD) * 255

    def run(template, search):
        images = [
            torch.from_numpy((i - mean) / std).float().permute(2, 0, 1)[None]
            for i in (template, search)
        ]
        with torch.inference_mode():
            logits, distances = network.track(network.template(images[0]), images[1])
        return torch.sigmoid(logits)[0, 0].numpy(), distances[0].numpy()

    return run


def test_numpys_numbers_of_threads(weight_file, fresh_engines):
    assert create("auto", NETWORK, weight_file, np.int64(1), "f32").name.endswith(" f32")


@pytest.mark.parametrize("name", INSTALLED)
def test_agrees_with_the_plain_network(name, weight_file, exported_here, plain, template, searches):
    engine = create(name, NETWORK, weight_file, threads=1, precision="f32")
    assert engine.name == f"{name} f32"
    for search in searches:
        score, distances = maps(engine, template, search)
        wanted = plain(template, search)
        cells = search.shape[0] // 16
        assert score.shape == (cells, cells) and distances.shape == (4, cells, cells)
        assert score.dtype == distances.dtype == np.float32
        np.testing.assert_allclose(score, wanted[0], atol=1e-4)
        np.testing.assert_allclose(distances, wanted[1], atol=5e-3)


@pytest.mark.parametrize("name", INSTALLED)
def test_targets_share_weights_and_nothing_else(name, weight_file, exported_here, searches):
    first = create(name, NETWORK, weight_file, threads=1, precision="f32")
    second = first.clone()
    assert second.runtime is first.runtime
    a, b = searches[0][:127, :127], searches[2][-127:, -127:]
    alone = maps(first, a, searches[0])
    other = maps(second, b, searches[0])
    assert not np.allclose(alone[0], other[0], atol=1e-5)
    np.testing.assert_array_equal(first.track(searches[0])[0], alone[0])
    twin = copy.deepcopy(first)
    first.template(b)
    np.testing.assert_array_equal(twin.track(searches[0])[0], alone[0])


@pytest.mark.parametrize("name", INSTALLED)
def test_results_are_the_callers_own(name, weight_file, exported_here, template, searches):
    engine = create(name, NETWORK, weight_file, threads=1, precision="f32")
    kept = maps(engine, template, searches[0])
    before = kept[0].copy()
    held = engine.track(searches[0])[0]
    engine.track(searches[2])
    np.testing.assert_array_equal(held, before)
    held[:] = 0


def test_callers_in_threads_take_turns(weight_file, exported_here, template, searches):
    engine = create(INSTALLED[0], NETWORK, weight_file, threads=1, precision="f32")
    wanted = maps(engine, template, searches[0])[0]
    wrong = []

    def work():
        own = engine.clone()
        own.template(template)
        wrong.extend(not np.array_equal(own.track(searches[0])[0], wanted) for _ in range(3))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(wrong) == 12 and not any(wrong)


def at_once(work, count=4):
    """What `work` returned, or raised, in threads that start together."""
    found, barrier = [], threading.Barrier(count)

    def run():
        barrier.wait()
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    workers = [threading.Thread(target=run) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def test_threads_that_start_together_share_one_network(weight_file, fresh_engines):
    found = at_once(lambda: create("torch", NETWORK, weight_file, threads=1, precision="f32"))
    assert {getattr(engine, "runtime", engine) for engine in found} == {found[0].runtime}


def test_threads_export_in_turns(weight_file, tmp_path):
    pytest.importorskip("onnx")
    from pytracking_et.engines.inference import load_graphs
    from pytracking_et.engines.inference.tracing import write_graph

    def work():
        _, template, _ = load_graphs(NETWORK, weight_file)
        folder = tmp_path / str(threading.get_ident())
        folder.mkdir()
        return (folder / write_graph(template, 127, folder)).read_bytes()

    assert (
        len({answer if isinstance(answer, bytes) else repr(answer) for answer in at_once(work)})
        == 1
    )


def test_read_only_and_strided_crops(weight_file, exported_here, template, searches):
    engine = create("torch", NETWORK, weight_file, threads=1, precision="f32")
    wanted = maps(engine, template, searches[0])[0]
    frozen = searches[0].copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(engine.track(frozen)[0], wanted)
    mirrored = searches[0][:, ::-1].copy()[:, ::-1]
    np.testing.assert_array_equal(engine.track(mirrored)[0], wanted)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"engine": "tensorrt"}, ["'tensorrt'", "auto, openvino, onnx, torch"]),
        ({"precision": "fp8"}, ["'fp8'", "f32"]),
        ({"engine": "torch", "precision": "int8"}, ["'torch'", "'int8'", "it has: f32"]),
        ({"threads": 0}, ["threads is 0"]),
        ({"threads": "2"}, ["threads is '2'", "whole number"]),
        ({"threads": 1.5}, ["threads is 1.5"]),
        ({"engine": "onnx", "precision": "int8"}, ["int8", "--calibration"]),
    ],
)
def test_errors_say_what_to_do(arguments, words, weight_file):
    if arguments.get("engine") == "onnx":
        pytest.importorskip("onnxruntime")
    with pytest.raises(EngineError) as caught:
        create(network=NETWORK, checkpoint=weight_file, **arguments)
    for word in words:
        assert word in str(caught.value)


def test_not_installed_names_the_extra(weight_file, monkeypatch):
    monkeypatch.setattr(select, "installed", lambda name: name == "torch")
    with pytest.raises(EngineError, match=re.escape(pip_line("openvino"))):
        create("openvino", NETWORK, weight_file, precision="f32")


def test_track_before_template(weight_file, searches):
    engine = create("torch", NETWORK, weight_file, threads=1, precision="f32")
    with pytest.raises(EngineError, match="before template"):
        engine.track(searches[0])


def test_missing_weights(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere"):
        create("torch", NETWORK, tmp_path / "nowhere.npz")


PROGRAM = """
import sys
import numpy as np
from pytracking_et.engines import create
engine = create({name!r}, {network!r}, {weights!r}, threads=1, precision="f32")
engine.template(np.zeros((127, 127, 3), np.uint8))
engine.track(np.zeros((256, 256, 3), np.uint8))
import pytracking_et.api
assert "torch" not in sys.modules, [m for m in sys.modules if m.startswith("torch")][:3]
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in INSTALLED if name != "torch"])
def test_cached_engines_do_without_torch(name, weight_file, exported_here):
    program = PROGRAM.format(name=name, network=NETWORK, weights=str(weight_file))
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


# What an installation for robots has, beside Python's own modules.
BARE = """
import sys
for name in "torch safetensors pandas matplotlib tqdm filelock typing_extensions".split():
    sys.modules[name] = None
import numpy as np
from pytracking_et.tracker.opening import open_loop
from pytracking_et.tracker.params import TrackerParams
params = TrackerParams()
params.network = {network!r}
params.use_checkpoint_parameters = True
loop = open_loop(params, {folder!r}, engine="onnx")
image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
loop.start(image, (40, 30, 40, 50))
print(loop.engine.name, loop.parameters.lr, np.isfinite(loop.step(image).box).all())
"""


def test_an_export_needs_onnx_runtime_alone(exported_here):
    pytest.importorskip("onnxruntime", reason="pip install 'pytracking-et[onnx]'")
    program = BARE.format(network=NETWORK, folder=str(exported_here))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split()[:2] == ["onnx", "f32"] and done.stdout.endswith("True\n"), done


def test_an_export_answers_as_the_weights_do(weight_file, exported_here, template, searches):
    name = next((name for name in INSTALLED if name != "torch"), None)
    if name is None:
        pytest.skip("needs an engine that runs exported graphs")
    wanted = maps(create(name, NETWORK, weight_file, 1, "f32"), template, searches[0])
    found = maps(create("auto", NETWORK, exported_here, 1), template, searches[0])
    np.testing.assert_array_equal(found[0], wanted[0])


@pytest.mark.parametrize("name", [name for name in INSTALLED if name != "torch"])
def test_the_folder_we_are_in_may_change(
    name, exported_here, template, searches, tmp_path, monkeypatch
):
    """Graphs are opened when first needed: those of another size with some later target."""
    wanted = maps(create(name, NETWORK, exported_here, 1), template, searches[0])
    select._open.cache_clear()
    monkeypatch.chdir(exported_here.parent)
    monkeypatch.setenv("PYTRACKING_ET_CACHE", "cache")
    engine = create(name, NETWORK, exported_here.name, 1)
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(maps(engine, template, searches[0])[0], wanted[0])
    assert not any(tmp_path.iterdir())


def test_an_export_is_compiled_once(exported_here, template, searches, fresh_engines, monkeypatch):
    runtimes = pytest.importorskip("pytracking_et.engines.runtimes.openvino")
    before, old = sorted(exported_here.rglob("*")), cache.engines_folder() / "compiled" / "old"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    first = maps(create("openvino", NETWORK, exported_here, 1), template, searches[0])
    assert sorted(exported_here.rglob("*")) == before
    assert not old.exists()
    monkeypatch.setattr(runtimes, "_compile", None)
    select._open.cache_clear()
    again = maps(create("openvino", NETWORK, exported_here, 1), template, searches[0])
    np.testing.assert_array_equal(again[0], first[0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("auto", "et_tracker"), "holds graphs of 'back_"),
        (("torch", NETWORK), "engine 'torch' does not run"),
        (("onnx", NETWORK, "int8"), "precision f32, which engine 'onnx' does not run"),
    ],
)
def test_what_an_export_cannot_do(arguments, words, exported_here):
    engine, network, precision = (*arguments, "auto")[:3]
    with pytest.raises(EngineError, match=words):
        create(engine, network, exported_here, 1, precision)


def test_a_damaged_export_is_told(exported_here):
    graph = next(exported_here.glob("search_*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(EngineError, match="missing or damaged"):
        create("auto", NETWORK, exported_here, 1)


def test_another_crop_size_is_exported_when_asked_for(weight_file, exported_here, template):
    name = next((n for n in INSTALLED if n != "torch"), None)
    if name is None or importlib.util.find_spec("onnx") is None:
        pytest.skip("needs an engine that runs exported graphs, and onnx")
    from pytracking_et.engines.package import check, sample_crop

    engine = create(name, NETWORK, weight_file, threads=1, precision="f32")
    score, _ = maps(engine, template, sample_crop(192, 1))
    assert score.shape == (12, 12)
    assert 192 in check(exported_here).searches


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no CPU affinity")
@pytest.mark.parametrize("name", INSTALLED)
def test_an_engine_leaves_the_process_on_all_its_cores(
    name, exported_here, weight_file, template, searches
):
    before = os.sched_getaffinity(0)
    engine = create(name, network=NETWORK, checkpoint=weight_file, threads=1)
    maps(engine, template, searches[0])
    assert os.sched_getaffinity(0) == before


def test_bfloat16_is_not_pretended(exported_here, weight_file, monkeypatch):
    """OpenVINO takes the hint on any CPU, and computes in float32 where it has to."""
    pytest.importorskip("openvino")
    from pytracking_et.engines.runtimes import openvino as openvino_engine

    monkeypatch.setattr(openvino_engine, "has_bf16", lambda: False)
    with pytest.raises(EngineError, match="does not compute in bfloat16"):
        create("openvino", NETWORK, weight_file, threads=1, precision="bf16")
