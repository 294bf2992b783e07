"""`ettrack export`: files, metadata, parity before it says done."""

from __future__ import annotations

import json

import pytest

from pytracking_et.commands import main
from pytracking_et.engines import export as module
from pytracking_et.engines.export import export
from pytracking_et.engines.package import check
from pytracking_et.errors import EngineError
from pytracking_et.network import MEAN, STD, weights
from tests.engines.conftest import NETWORK

FORMATS = {
    "onnx": ("onnxruntime", {"template_127.onnx", "search_224.onnx", "search_192.onnx"}),
    "openvino": ("openvino", {"template_127.xml", "search_224.xml", "search_192.bin"}),
}


@pytest.mark.parametrize("form", FORMATS)
def test_export(form, tmp_path, weight_file, exported_here, capsys):
    package, names = FORMATS[form]
    pytest.importorskip(package)
    output = tmp_path / "graphs"
    arguments = ["export", "--format", form, "--output", str(output), "--network", NETWORK]
    assert main([*arguments, "--checkpoint", str(weight_file)]) == 0
    assert "parity with the plain network" in capsys.readouterr().out
    fields = json.loads((output / "metadata.json").read_text())
    assert names <= set(fields["files"])
    assert {path.name for path in output.iterdir()} == {*fields["files"], "metadata.json"}
    assert fields["weights_sha256"] == weights.fingerprint(weight_file)
    assert (fields["format"], fields["opset"], fields["stride"]) == (form, 17, 16)
    assert (tuple(fields["mean"]), tuple(fields["std"])) == (MEAN, STD)
    assert fields["loop"]["window_influence"] == 0.225 and fields["channel_order"] == "rgb"
    assert fields["parity"]["score"] < 1e-4 and fields["parity"]["distances"] < 5e-3
    check(output)
    assert list(tmp_path.iterdir()) == [output]


def test_constants_that_came_after_the_graphs_were_cached_count(
    tmp_path, weight_file, exported_here, monkeypatch
):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(weights, "tuned_parameters", lambda _: {"lr": 0.123})
    metadata, _ = export("onnx", tmp_path / "graphs", NETWORK, weight_file)
    assert metadata.loop["lr"] == 0.123


def test_no_parity_no_export(tmp_path, weight_file, exported_here, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(module, "agrees", lambda *_: False)
    with pytest.raises(EngineError, match="differ from the network"):
        export("onnx", tmp_path / "graphs", NETWORK, weight_file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/graphs"])
def test_a_folder_that_cannot_be_written(name, tmp_path, weight_file, exported_here):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot be written .*--output"):
        export("onnx", tmp_path / name, NETWORK, weight_file)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"form": "tflite"}, "unknown format 'tflite'"),
        ({"form": "onnx", "precision": "fp4"}, "no graphs of precision 'fp4'"),
        ({"form": "onnx", "precision": "bf16"}, "no graphs of precision 'bf16'"),
        ({"form": "onnx", "precision": "auto"}, "no graphs of precision 'auto'"),
        ({"form": "onnx", "calibration": "frames"}, "for precision 'int8', not 'f32'"),
        ({"form": "onnx", "precision": "int8"}, "--calibration"),
    ],
)
def test_errors(arguments, words, tmp_path, weight_file):
    pytest.importorskip("onnxruntime")
    with pytest.raises(EngineError, match=words):
        export(output=tmp_path / "graphs", network=NETWORK, checkpoint=weight_file, **arguments)
    assert not (tmp_path / "graphs").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_is_told(form, tmp_path, weight_file, exported_here, monkeypatch):
    pytest.importorskip(FORMATS[form][0])

    def full(*_, **__):
        raise OSError(28, "No space left") if form == "onnx" else RuntimeError("iostream error")

    place = "shutil.copyfile" if form == "onnx" else "openvino.save_model"
    monkeypatch.setattr(place, full)
    with pytest.raises(EngineError, match=r"graphs cannot be written \(.*--output"):
        export(form, tmp_path / "graphs", NETWORK, weight_file)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_folders_place_is_told(tmp_path, weight_file, exported_here):
    pytest.importorskip("onnxruntime")
    (tmp_path / "graphs").write_text("")
    with pytest.raises(EngineError, match=r"graphs cannot be written \(Not a dir"):
        export("onnx", tmp_path / "graphs", NETWORK, weight_file)
