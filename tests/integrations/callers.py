"""How pytracking's callers treat a tracker: an imitation for the contract tests.

Own code, written from the interface facts (what is called, in which order, with which `info`), not
from pytracking's source. The tests copy this file to `pytracking/evaluation/tracker.py` of a made
up checkout, so that module and function names are the ones a tracker sees in its callers' frames.
Windows and keys are replaced by scripts; image files by arrays.
"""

from __future__ import annotations

import copy
import importlib
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np

PACKAGE = Path(__file__).resolve().parents[1]
SCORE = "object_presence_score"


class StrictVisdom:
    """Takes what the panels of the real one can draw, and fails where those crash."""

    def __init__(self, debug):
        self.debug = debug
        self.calls = []

    def register(self, data, mode, debug_level=0, title="Data", **_options):
        getattr(self, f"_{mode}")(data)
        self.calls.append((title, mode, debug_level))

    @staticmethod
    def _Tracking(data):  # noqa: N802 (the mode's name)
        image, *rest = data
        assert image.ndim == 3
        for item in rest:
            # Whatever is not a plain list counts as a mask there, so a tuple or array crashes.
            if isinstance(item, list):
                assert len(item) == 4
            else:
                assert item.shape == image.shape[:2]

    @staticmethod
    def _heatmap(data):
        assert data.float().ndim == 2  # a tensor: panels call its methods

    @staticmethod
    def _image(data):
        assert data.float().shape[0] == 3

    @staticmethod
    def _lineplot(data):
        assert data.clone().shape == (1,)


class MultiObjectWrapper:
    """One tracker per target; boxes in and out are dicts by id. With `fast_load`, copies of one."""

    def __init__(self, tracker_class, params, visdom=None, fast_load=False):
        self.tracker_class, self.params, self.visdom = tracker_class, params, visdom
        self.built = 0
        self.trackers = OrderedDict()
        self.prototype = None
        if fast_load:
            self.prototype = self._build()
            if hasattr(self.prototype, "initialize_features"):
                self.prototype.initialize_features()

    def _build(self):
        self.built += 1
        return self.tracker_class(self.params)

    def _new(self):
        tracker = self._copy() or self._build()
        tracker.visdom = self.visdom
        return tracker

    def _copy(self):
        try:
            return copy.deepcopy(self.prototype)
        except Exception:
            return None

    def _start(self, image, info):
        outputs = OrderedDict()
        for key in info["init_object_ids"]:
            own = {"init_bbox": info["init_bbox"][key], "init_other": self._others(info, key)}
            self.trackers[key] = self._new()
            out = self.trackers[key].initialize(image, own)
            outputs[key] = {"target_bbox": own["init_bbox"], **(out or {})}
        return outputs

    @staticmethod
    def _others(info, key):
        others = [other for other in info["init_object_ids"] if other != key]
        return {"object_ids": others, "init_bbox": {o: info["init_bbox"][o] for o in others}}

    @staticmethod
    def _merged(outputs):
        """The first target's keys are asked of every target: one that lacks them is a KeyError."""
        names = next(iter(outputs.values()), {})
        merged = OrderedDict(
            (name, OrderedDict((key, out[name]) for key, out in outputs.items())) for name in names
        )
        if "time" in merged:
            merged["time"] = sum(merged["time"].values())
        return merged

    def initialize(self, image, info):
        self.trackers = OrderedDict()
        if len(info["init_object_ids"]) == 0:  # after the key "r"
            return None
        return self._merged(self._start(image, info))

    def track(self, image, info=None):
        info = info or {}
        previous = info.get("previous_output", OrderedDict())
        outputs = OrderedDict()
        for key, tracker in self.trackers.items():
            values = {n: v[key] for n, v in previous.items() if isinstance(v, dict) and key in v}
            outputs[key] = tracker.track(image, OrderedDict(previous_output=OrderedDict(values)))
        if info.get("init_object_ids"):
            outputs.update(self._start(image, info))
        return self._merged(outputs)

    def visdom_draw_tracking(self, image, box, segmentation=None):
        boxes = list(box.values()) if isinstance(box, dict) else [box]
        masks = [] if segmentation is None else [segmentation]
        self.visdom.register((image, *boxes, *masks), "Tracking", 1, "Tracking")


class Tracker:
    """pytracking's Tracker: finds a tracker by a directory of its name, and runs it."""

    def __init__(self, name, parameter_name, run_id=None, display_name=None):
        assert run_id is None or isinstance(run_id, int)
        self.name, self.parameter_name, self.run_id = name, parameter_name, run_id
        self.display_name = display_name
        self.visdom = None
        self.tracker_class = None
        if (PACKAGE / "tracker" / name).is_dir():
            module = importlib.import_module(f"pytracking.tracker.{name}")
            self.tracker_class = module.get_tracker_class()

    def get_parameters(self):
        name = f"pytracking.parameter.{self.name}.{self.parameter_name}"
        return importlib.import_module(name).parameters()

    def _parameters(self, debug, visualization):
        params = self.get_parameters()
        params.debug, params.visualization = debug, visualization
        params.tracker_name, params.param_name = self.name, self.parameter_name
        params.use_gpu = False
        if visualization:
            self.visdom = StrictVisdom(debug)
        return params

    def mode(self, params):
        default = getattr(self.tracker_class, "multiobj_mode", "default")
        return getattr(params, "multiobj_mode", default)

    def create_tracker(self, params):
        tracker = self.tracker_class(params)
        tracker.visdom = self.visdom
        return tracker

    # --- data sets: RGB frames

    def run_sequence(self, frames, init_bbox, debug=0, visualization=False):
        """`init_bbox`: list of four np.float64, or OrderedDict id -> list for several targets."""
        params = self._parameters(debug, visualization)
        info = {"init_bbox": init_bbox}
        if isinstance(init_bbox, dict):
            info["init_object_ids"] = info["object_ids"] = list(init_bbox)
            info["sequence_object_ids"] = list(init_bbox)
            assert self.mode(params) == "parallel"
            tracker = MultiObjectWrapper(self.tracker_class, params, self.visdom)
        else:
            tracker = self.create_tracker(params)
        return self._track_sequence(tracker, frames, info)

    def _track_sequence(self, tracker, frames, init_info):
        output = {"target_bbox": [], "time": [], "object_presence_score": []}

        def keep(out, defaults):
            for name in output:
                value = out.get(name, defaults.get(name))
                if value is not None:
                    output[name].append(value)

        start = time.time()
        out = tracker.initialize(frames[0], init_info) or {}
        defaults = {"target_bbox": init_info["init_bbox"], "time": time.time() - start}
        keep(out, {**defaults, "object_presence_score": 1.0})
        self._draw(tracker, frames[0], output["target_bbox"][0])
        previous = OrderedDict(out)
        for frame in frames[1:]:
            start = time.time()
            out = tracker.track(frame, OrderedDict(previous_output=previous))
            previous = OrderedDict(out)
            keep(out, {"time": time.time() - start})
            self._draw(tracker, frame, out["target_bbox"], out.get("segmentation"))
        return output

    def _draw(self, tracker, image, box, segmentation=None):
        if self.visdom is not None:
            tracker.visdom_draw_tracking(image, box, segmentation)

    # --- webcam and video: BGR frames, as OpenCV reads them

    def run_webcam(self, frames, script, debug=0, visualization=False):
        """`script`: frame index -> ("box", [x, y, w, h]) for a drawn box, or ("reset",)."""
        return self.run_video_generic(frames, script, None, debug, visualization)

    def run_video(self, frames, optional_box, script=None, debug=0, visualization=False):
        return self.run_video_generic(frames, script or {}, optional_box, debug, visualization)

    def run_video_generic(self, frames, script, optional_box, debug, visualization):
        params = self._parameters(debug, visualization)
        assert self.mode(params) == "parallel"
        tracker = MultiObjectWrapper(self.tracker_class, params, self.visdom, fast_load=True)
        self.wrapper = tracker
        ids, previous, outputs, next_id = [], OrderedDict(), [], 1
        if optional_box is not None:
            ids, next_id = [1], 2
            boxes = OrderedDict({1: [int(value) for value in optional_box]})
            info = {"init_bbox": boxes, "init_object_ids": [1], "object_ids": [1]}
            previous = OrderedDict(tracker.initialize(frames[0], info))
            frames = frames[1:]
        for index, frame in enumerate(frames):
            info = OrderedDict(previous_output=previous)
            action, *values = script.get(index, ("none",))
            if action == "box":
                ids.append(next_id)
                info["init_object_ids"] = [next_id]
                info["init_bbox"] = OrderedDict({next_id: values[0]})
                next_id += 1
            if ids:
                info["sequence_object_ids"] = ids
                out = tracker.track(frame, info)
                previous = OrderedDict(out)
                # The loop draws with whole numbers.
                whole = {key: [int(v) for v in box] for key, box in out["target_bbox"].items()}
                assert all(len(box) == 4 for box in whole.values())
                self._draw(tracker, frame, out["target_bbox"])
                outputs.append(out["target_bbox"])
            else:
                outputs.append(OrderedDict())
            if action == "reset":
                ids, previous, next_id = [], OrderedDict(), 1
                empty = {"object_ids": [], "init_object_ids": [], "init_bbox": OrderedDict()}
                assert tracker.initialize(frame, empty) is None
        return outputs

    # --- VOT: RGB frames; initialize_features unguarded, no info for later frames

    def run_vot2020(self, frames, selection):
        params = self._parameters(0, False)
        params.run_id = self.run_id
        tracker = self.create_tracker(params)
        tracker.initialize_features()
        kind = "mask" if tracker.predicts_segmentation_mask() else "rectangle"
        x, y, w, h = selection
        tracker.initialize(frames[0], {"init_bbox": [x, y, w, h]})
        reports = []
        for frame in frames[1:]:
            out = tracker.track(frame)
            x, y, w, h = out["target_bbox"]
            reports.append((kind, [x, y, w, h], 1.0))
        return reports

    def run_vot(self, frames, polygon):
        """The old protocol: an 8-number polygon in, a rectangle out."""
        params = self._parameters(0, False)
        assert params.vot_anno_conversion_type == "union"  # what the two lines on corners do
        tracker = self.create_tracker(params)
        tracker.initialize_features()
        corners = np.array(polygon).reshape(-1, 2)
        low, high = corners.min(axis=0), corners.max(axis=0)
        tracker.initialize(frames[0], {"init_bbox": [*low, *(high - low)]})
        return [[float(v) for v in tracker.track(frame)["target_bbox"]] for frame in frames[1:]]


def save_results(folder, name, output):
    """Boxes as whole numbers cut towards zero and tab-separated; times and scores as %f.

    What comes as a dict goes into one file a target, `<name>_<id>...`; whether it does, the first
    frame says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for key, ending in (("target_bbox", ""), ("time", "_time"), (SCORE, f"_{SCORE}s")):
        values, columns = output[key], {name: output[key]}
        if isinstance(values[0], dict):
            columns = {f"{name}_{one}": [frame[one] for frame in values] for one in values[0]}
        for stem, rows in columns.items():
            numbers = np.array(rows, float)
            if key == "target_bbox":
                np.savetxt(folder / f"{stem}.txt", numbers.astype(int), delimiter="\t", fmt="%d")
            else:
                np.savetxt(folder / f"{stem}{ending}.txt", numbers, fmt="%f")


def run_in_worker(name, parameter, frames, box):
    """What a worker of `run_dataset` does (spawned: everything it gets has been pickled)."""
    return Tracker(name, parameter).run_sequence(frames, box)["target_bbox"]
