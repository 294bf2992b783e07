"""Every parser of files and messages that come from outside: a valid input, and how it is read.

`make(folder)` writes what the parser needs and returns the file that is spoilt; `read(file)` reads
it and touches what comes out. Where there is a choice, the entry that a command uses is called, so
that the table holds whatever lies below it.
"""

from __future__ import annotations

import io
import urllib.request
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pytracking_et.analysis import plot_results, readers, trackers, vot
from pytracking_et.analysis.comparison import Comparison
from pytracking_et.engines import cache, package, select
from pytracking_et.engines import int8 as calibration
from pytracking_et.engines.int8 import Ranges
from pytracking_et.evaluation import Sequence, SequenceList
from pytracking_et.evaluation.datasets import find_spec, layouts, ondisk, read_attributes
from pytracking_et.integrations import pytracking_checkout, vot_registry
from pytracking_et.live.sources import open_source
from pytracking_et.live.web import channel
from pytracking_et.live.web.uploads import Limits, decode_jpeg
from pytracking_et.network import weights
from pytracking_et.network.download import Published, download
from pytracking_et.results import files as results
from pytracking_et.results.manifest import Manifest, older_settings
from pytracking_et.settings import read_settings
from pytracking_et.tracking.parameters import Parameters

from .table import BOXES, STATE, Parser, as_json, frames, got10k, picture, text
from .training import TRAINING

# --- results and manifests


MANIFEST = {
    "format": 1,
    "tracker": "et_tracker",
    "parameter": "et_tracker",
    "run_id": None,
    "settings": {
        "f1": {
            "asked": "a1",
            "engine": "torch",
            "precision": "f32",
            "started": "2026",
            "failed": {},
        },
        "f2": {"asked": "a2", "engine": None, "precision": None, "wall_seconds": 1.5},
    },
    "sequences": {
        "Deer": {
            "dataset": "otb",
            "frames": 3,
            "init_box": [1, 2, 3, 4],
            "fingerprint": "f1",
            "sha256": "0",
        },
        "David": {"dataset": "otb", "frames": 3, "fingerprint": "f2", "seconds": 0.5},
    },
}


def read_manifest(path: Path) -> None:
    manifest = Manifest.open(path.parent, "et_tracker", "et_tracker")
    manifest.engine_of("a1")
    manifest.is_done("Deer", "f1", "otb", 3, [1, 2, 3, 4])
    older_settings(manifest.content, ["Deer", "David"])
    manifest.begin("f1", {"asked": "a1"})
    manifest.end("f1", 1.0, {})


def read_run(path: Path) -> None:
    folder = trackers.ResultFolder.open(path.parent, "otb")
    folder.boxes(["Deer", "David"], missing="skip")


def run_with_boxes(folder: Path) -> Path:
    text("Deer.txt", "1\t2\t3\t4\n")(folder)
    return as_json("manifest.json", MANIFEST)(folder)


def read_result(path: Path) -> None:
    results.load_boxes(path.parent, path.stem)
    trackers.ResultFolder.open(path.parent).boxes([path.stem])


def read_times(path: Path) -> None:
    results.load_values(path.parent, "Deer", "time")
    trackers.ResultFolder.open(path.parent).times(["Deer"])


def comparison(folder: Path) -> Path:
    rates = np.zeros((1, 1, 3))
    tracker = {"name": "a", "param": "b", "run_id": None, "disp_name": None, "label": "a"}
    Comparison(
        ({**tracker},), ("Deer",), rates, rates, rates, np.zeros((1, 1)), np.zeros(3),
        np.ones(1, np.int64), "otb", "pytracking", "note",
    ).save(folder / "cache.npz", "key")  # fmt: skip
    return folder / "cache.npz"


# --- data sets


ROW = {
    "name": "Deer",
    "path": "img",
    "anno_path": "boxes.txt",
    "startFrame": 1,
    "endFrame": 3,
    "nz": 4,
    "ext": "png",
}


def use(sequences: Any) -> None:
    for one in sequences:
        assert isinstance(one.name, str)
        _ = one.ground_truth_rect, one.target_visible
        if len(one.frames) <= 100:
            list(one.frames)


def table_of_sequences(folder: Path) -> Path:
    frames(folder)
    text("boxes.txt", BOXES)(folder)
    return as_json("sequences.json", [ROW])(folder)


def folder_of_frames(folder: Path) -> Path:
    frames(folder)
    return text("groundtruth.txt", BOXES)(folder)


def use_layout(name: str, levels: int) -> Callable[[Path], None]:
    return lambda path: use(layouts.sequences(path.parents[levels], find_spec(name)))


def read_published(root: Path, dataset: str, name: str, boxes: str) -> None:
    """Attributes of a data set that has one sequence, whose boxes are in this file."""
    found = SequenceList([Sequence(name, ["1.jpg"], dataset, ondisk.BoxFile(str(root / boxes)))])
    read_attributes(root, dataset, found)


UAV = ("uav", "uav_bike1", "anno/UAV123/bike1.txt")
OTB = ("otb", "Deer", "Deer/groundtruth_rect.txt")


# --- weights and engines


def safetensors(folder: Path) -> Path:
    texts = {"network": "et_tracker", "parameters": '{"lr": 0.5}', "samples": "12"}
    weights.save(folder / "w.safetensors", STATE, texts)
    return folder / "w.safetensors"


def arrays(folder: Path) -> Path:
    np.savez(folder / "w.npz", **{name: value.numpy() for name, value in STATE.items()})
    return folder / "w.npz"


def pickled(zipped: bool) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "w.pth"
        torch.save({"net": STATE, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)
        return path

    return make


def read_weights(path: Path) -> None:
    weights.load(torch.nn.Linear(3, 2), path)


def read_constants(path: Path) -> None:
    holder = path.with_name("c.safetensors")
    weights.save(holder, STATE, {"parameters": path.read_bytes().decode("utf-8", "replace")})
    Parameters.from_fields(weights.tuned_parameters(holder))


def metadata(folder: Path) -> Path:
    text("search_256.onnx", "graph")(folder)
    package.Metadata(
        "onnx", 17, "et_tracker", "f32", "0" * 64, (127,), (256, 288), 16, (0.4, 0.4, 0.4),
        (0.2, 0.2, 0.2), {"lr": 0.6}, {"torch": "2"}, {"search_256.onnx": "0" * 64}, {"score": 0.0},
    ).write(folder)  # fmt: skip
    return folder / package.METADATA


def reference(folder: Path) -> Path:
    crop, maps = np.zeros((8, 8, 3), np.uint8), np.zeros((4, 2, 2), np.float32)
    package.Reference(crop, crop, maps[0], maps).write(folder / "reference.npz")
    return folder / "reference.npz"


def ranges(folder: Path) -> Path:
    Ranges("0" * 64, "clips", {"a": (0.0, 1.0), "b": (-2.5, 3.0)}).write(folder / "r.json")
    return folder / "r.json"


def sealed(folder: Path) -> Path:
    cache.write_sealed(folder / "graph", b"compiled")
    return folder / "graph"


class Socket:
    """What HTTPResponse needs of a socket."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.data)


def read_answer(path: Path) -> None:
    """Download from a server that answers with the file's bytes."""

    def urlopen(request: Any, timeout: float) -> HTTPResponse:
        response = HTTPResponse(Socket(path.read_bytes()))  # type: ignore[arg-type]
        response.begin()
        return response

    item = Published("w", "et_tracker", "w.pth", "http://h/w", "0" * 40, "", "")
    usual, urllib.request.urlopen = urllib.request.urlopen, urlopen  # type: ignore[assignment]
    try:
        download(item, path.parent / "target")
    finally:
        urllib.request.urlopen = usual


# --- toolkits, live


def record(folder: Path) -> Path:
    folder = folder / "pytracking"
    for name in pytracking_checkout._NEEDED:
        text(name, "run_sequence")(folder)
    pytracking_checkout.install(folder)
    return next(folder.glob(f"tracker/*/{pytracking_checkout.RECORD}"))


def read_record(path: Path) -> None:
    pytracking_checkout._recorded(path.parent)


def message(folder: Path) -> Path:
    header = b'{"frame": 3, "time": 0.25, "box": [1, 2, 3, 4]}'
    return text("m", len(header).to_bytes(4, "big") + header + picture(".jpg"))(folder)


PARSERS = [
    Parser("manifest", as_json("manifest.json", MANIFEST), read_manifest),
    Parser("manifest, scoring", run_with_boxes, read_run),
    Parser("result boxes", text("Deer.txt", "1\t2\t3\t4\n5\t6\t7\t8\n"), read_result),
    Parser("result times", text("Deer_time.txt", "0.25\n0.01\n"), read_times),
    Parser("annotation folder", text(
        "Deer.txt", BOXES
    ), lambda path: readers.read_ground_truth(path.parent)),
    Parser("comparison cache", comparison, lambda path: Comparison.load(path, "key")),
    Parser("GOT-10k report", as_json(
        "r.json", {"t": {"overall": {"ao": 0.5, "succ_curve": [1, 0.5, 0]}}}
    ), plot_results._got_report),
    Parser("VOT result", text(
        "a.txt", "1\n10,20,30,40\n1,2,3,4,5,6,7,8\n2\n0\n"
    ), vot.read_supervised),
    Parser("visibility", as_json(
        "v.json", {"Deer": {"frames": 9, "absent": [[2, 3]]}}
    ), readers.read_visibility),
    Parser("lock owner", as_json(
        results.OWNER_FILE, {"pid": 1, "host": "h", "since": "2026"}
    ), lambda path: results._owner(path.parent)),
    Parser("settings file", text(
        "ettrack.toml", "otb_path = '/data/OTB'\nnetwork_path = ['~/w', 'x']\n[training]\na = 1\n"
    ), read_settings),
    Parser("sequences.json", table_of_sequences, lambda path: use(layouts.from_path(path.parent))),
    Parser("annotation", folder_of_frames, lambda path: use(layouts.from_path(path.parent))),
    Parser("GOT-10k list", got10k("list.txt"), use_layout("got10k_val", 1)),
    Parser("GOT-10k cover", got10k("Val_1/cover.label"), use_layout("got10k_val", 2)),
    Parser("NfS annotation", text(
        "a.txt", '0 1 2 30 40 0 0 0 0 "dog"\n' * 17
    ), lambda path: ondisk.read_official(str(path))),
    Parser("attributes.json", as_json(
        "attributes.json", {"order": ["OCC", "SV"], "sequences": {"bike1": ["OCC"]}}
    ), lambda path: read_published(path.parent, *UAV)),
    Parser("attribute flags", text(
        "anno/UAV123/att/bike1.txt", "0,1,0,0,0,0,1,0,0,0,1,0\n"
    ), lambda path: read_published(path.parents[3], *UAV)),
    Parser("attribute codes", text(
        "Deer/attrs.txt", "OCC, SV,MB\n"
    ), lambda path: read_published(path.parents[1], *OTB)),
    Parser("weights .safetensors", safetensors, read_weights),
    Parser("weights .npz", arrays, read_weights),
    Parser("weights .pth", pickled(True), read_weights),
    Parser("weights .pth, old format", pickled(False), read_weights),
    Parser("constants of weights", as_json(
        "p.json", {"lr": 0.5, "search_size": 256, "anchor": "crop", "calibrate": 1}
    ), read_constants),
    Parser("download", text(
        "http", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    ), read_answer),
    Parser("engine metadata", metadata, lambda path: package.check(path.parent)),
    Parser("engine reference", reference, package.Reference.read),
    Parser("int8 ranges", ranges, Ranges.read),
    Parser("choice of auto", as_json(
        "c.json", {"engine": "torch", "precision": "f32"}
    ), select._read),
    Parser("compiled graph", sealed, cache.read_sealed),
    Parser("calibration table", text(
        "annotations.csv", "track,frame,x,y,w,h\na,1,1,2,30,40\na,2,1,2,30,40\n"
    ), lambda path: calibration.pairs(path.parent, 2)),
    Parser("trackers.ini", text(
        "trackers.ini", "# mine\n[other]\nlabel = x\nprotocol = trax\n"
    ), lambda path: vot_registry.write_entry(path.parent, vot_registry.Entry("ET", "python"))),
    Parser("install record", record, read_record),
    Parser("web command", as_json(
        "m", {"type": "target", "frame": 3, "box": [1, 2, 3, 4.5]}
    ), lambda path: channel.parse_command(path.read_bytes())),
    Parser("web camera frame", message, lambda path: channel.parse_frame(path.read_bytes())),
    Parser("web JPEG", text(
        "f.jpg", picture(".jpg")
    ), lambda path: decode_jpeg(path.read_bytes(), Limits())),
    Parser("image .jpg", text("f.jpg", picture(".jpg")), lambda path: list(open_source(path))),
    Parser("image .png", text("f.png", picture(".png")), lambda path: list(open_source(path))),
    Parser("image .bmp", text("f.bmp", picture(".bmp")), lambda path: list(open_source(path))),
    *TRAINING,
]  # fmt: skip
