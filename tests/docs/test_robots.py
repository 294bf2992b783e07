"""docs/examples for robots: the ROS 2 node on stand-ins of ROS, the GStreamer program.

The stand-ins have the fields of sensor_msgs and vision_msgs (Humble and later) and refuse others.
"""

from __future__ import annotations

import runpy
import sys
from dataclasses import field, make_dataclass
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest

from pytracking_et.errors import ImageError

from .blocks import ROOT

EXAMPLES = ROOT / "docs" / "examples"
BOX = (10.0, 20.0, 30.0, 40.0)
STEP = (1, 1, 0, 0)


def message(name, **defaults):
    """A type of ROS messages with these fields; a default that is a type is made anew."""
    fields = [
        (name, object, field(default_factory=value) if isinstance(value, type) else value)
        for name, value in defaults.items()
    ]
    return make_dataclass(name, fields, slots=True)


Position = message("Position", x=0.0, y=0.0)
Center = message("Center", position=Position, theta=0.0)
BoundingBox2D = message("BoundingBox2D", center=Center, size_x=0.0, size_y=0.0)
ObjectHypothesis = message("ObjectHypothesis", class_id="", score=0.0)
ObjectHypothesisWithPose = message("ObjectHypothesisWithPose", hypothesis=ObjectHypothesis)
Detection2D = message("Detection2D", header=None, results=list, bbox=BoundingBox2D, id="")
Detection2DArray = message("Detection2DArray", header=None, detections=list)
VISION = ModuleType("vision_msgs.msg")
for kind in (Detection2D, Detection2DArray, ObjectHypothesisWithPose):
    setattr(VISION, kind.__name__, kind)


def picture(array, encoding, padding=0):
    """A sensor_msgs/Image; `padding`: bytes behind each row."""
    height, width = array.shape[:2]
    rows = np.pad(array.reshape(height, -1), ((0, 0), (0, padding)))
    return SimpleNamespace(
        header=f"header of {encoding}",
        height=height,
        width=width,
        encoding=encoding,
        step=rows.shape[1],
        data=rows.tobytes(),
    )


class Following:
    """An ETTracker whose box moves by one pixel an image; its scores are given."""

    def __init__(self, *scores):
        self.scores = list(scores)
        self.seen = []

    def init(self, image, box, color):
        self.seen.append((image.copy(), color))
        self.box = np.array(box, float)

    def update(self, image, color):
        self.seen.append((image.copy(), color))
        self.box = self.box + STEP
        self.lost = self.scores[0] < 0.5
        return self.box, np.float64(self.scores.pop(0))


@pytest.fixture(scope="module")
def node():
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / "ros2_node.py")))


@pytest.mark.parametrize(
    ("encoding", "channels", "color"),
    [
        ("rgb8", 3, "rgb"),
        ("bgr8", 3, "bgr"),
        ("rgba8", 4, "rgb"),
        ("bgra8", 4, "bgr"),
        ("mono8", 1, "rgb"),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_pixels(node, encoding, channels, color, padding):
    array = np.random.default_rng(0).integers(0, 255, (4, 6, channels), np.uint8)
    found = node.pixels(picture(array, encoding, padding))
    np.testing.assert_array_equal(found[0], array)
    assert found[1] == color


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"encoding": "bayer_rggb8"}, "'bayer_rggb8': give one of rgb8"),
        ({"data": b"12"}, "2 bytes in rows of 18: no rgb8 image of 6x4"),
        ({"step": 6, "height": 12}, "72 bytes in rows of 6"),
    ],
)
def test_no_picture(node, change, told):
    message = picture(np.zeros((4, 6, 3), np.uint8), "rgb8")
    message.__dict__.update(change)
    with pytest.raises(ImageError, match=told):
        node.pixels(message)


def test_detection_array(node):
    array = node.detection_array(VISION, "header", [(7, np.array(BOX, np.float32), 0.25)])
    hypothesis = ObjectHypothesisWithPose(ObjectHypothesis("target", 0.25))
    box = BoundingBox2D(Center(Position(25.0, 40.0)), 30.0, 40.0)
    assert array == Detection2DArray("header", [Detection2D("header", [hypothesis], box, "7")])
    found = array.detections[0]  # ROS refuses numpy's numbers
    assert type(found.bbox.size_x) is type(found.bbox.center.position.x) is float
    assert type(found.results[0].hypothesis.score) is float
    assert node.box_of(found) == BOX
    assert node.detection_array(VISION, "header", []) == Detection2DArray("header", [])


def test_follower(node):
    image = picture(np.zeros((90, 90, 3), np.uint8), "bgr8")
    follower = node.Follower(Following(0.9, 0.2, 0.8))
    assert follower.follow(image) is None, "nothing to follow yet"
    (first,) = node.detection_array(VISION, None, [(1, BOX, 1.0)]).detections
    follower.start(first)
    assert [tuple(map(float, one[1])) for one in follower.follow(image)] == [BOX]
    ((number, box, score),) = follower.follow(image)
    assert (number, score) == (1, 0.9)
    np.testing.assert_array_equal(box, np.array(BOX) + STEP)
    assert follower.follow(image) == [], "lost"
    follower.start(first)
    assert [one[0] for one in follower.follow(image)] == [2], "a new start is a new target"
    assert {color for _, color in follower.tracker.seen} == {"bgr"}


@pytest.fixture
def ros(monkeypatch):
    """rclpy with one node, whose `spin` gives it the images in `ros.images`."""
    ros = SimpleNamespace(images=[], published=[], errors=[], taken={})

    class Node:
        def declare_parameter(self, name, value, descriptor):
            return SimpleNamespace(value=list(BOX))

        def create_publisher(self, kind, topic, depth):
            assert (kind, topic) == (Detection2DArray, "detections")
            return SimpleNamespace(publish=ros.published.append)

        def create_subscription(self, kind, topic, callback, quality):
            ros.taken[topic] = callback

        def get_logger(self):
            return SimpleNamespace(error=ros.errors.append)

        def destroy_node(self): ...

    def spin(node):
        for image in ros.images:
            ros.taken["image"](image)
        raise KeyboardInterrupt

    modules = {
        "rclpy": {"init": lambda: None, "create_node": lambda name: Node(), "spin": spin,
                  "try_shutdown": lambda: None},
        "rclpy.executors": {"ExternalShutdownException": type("Ended", (Exception,), {})},
        "rclpy.qos": {"QoSProfile": SimpleNamespace,
                      "ReliabilityPolicy": SimpleNamespace(BEST_EFFORT=2)},
        "rcl_interfaces": {}, "rcl_interfaces.msg": {"ParameterDescriptor": SimpleNamespace},
        "sensor_msgs": {}, "sensor_msgs.msg": {"Image": SimpleNamespace},
        "vision_msgs": {"msg": VISION}, "vision_msgs.msg": VISION.__dict__,
    }  # fmt: skip
    for name, content in modules.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return ros


def test_node(ros, node, monkeypatch):
    main = node.main
    monkeypatch.setitem(main.__globals__, "ETTracker", lambda: Following(0.9))
    image = picture(np.zeros((90, 90, 3), np.uint8), "rgb8")
    ros.images = [image, picture(np.zeros((9, 9), np.uint8), "8UC1"), image]
    main()
    assert set(ros.taken) == {"image", "start"}
    assert [array.header for array in ros.published] == ["header of rgb8"] * 2
    assert [array.detections[0].bbox.center.position.x for array in ros.published] == [25, 26]
    assert len(ros.errors) == 1
    assert "'8UC1'" in ros.errors[0], "an image it cannot use does not end the node"


def test_without_ros_a_sentence(node, monkeypatch):
    monkeypatch.setitem(sys.modules, "rclpy", None)
    with pytest.raises(SystemExit, match=r"source /opt/ros/DISTRO/setup\.bash"):
        node.main()


def gstreamer(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["gstreamer_boxes.py", *words])
    runpy.run_path(str(EXAMPLES / "gstreamer_boxes.py"), run_name="__main__")


def test_gstreamer(monkeypatch, at_work, clip):
    """Frames of an appsink come out of an appsrc, one for each, with a box drawn."""
    frames = [np.ascontiguousarray(frame.image[..., ::-1]) for frame in clip[:3]]
    written = []

    class Pipeline:
        def __init__(self, text, backend, *size):
            assert backend == cv2.CAP_GSTREAMER
            assert size in ((), (0, 25.0, (640, 360)))
            self.frames = list(frames)
            self.write = written.append
            last, first = "appsink drop=true max-buffers=1", "appsrc ! "
            assert text.startswith(first) if size else text.endswith(last)

        def read(self):
            return (True, self.frames.pop(0).copy()) if self.frames else (False, None)

        def get(self, what):
            return 25.0

        def isOpened(self):  # noqa: N802 (OpenCV's name)
            return True

        def release(self): ...

    monkeypatch.setattr(cv2.videoio_registry, "getBackends", lambda: [cv2.CAP_GSTREAMER])
    monkeypatch.setattr(cv2, "VideoCapture", Pipeline)
    monkeypatch.setattr(cv2, "VideoWriter", Pipeline)
    gstreamer(monkeypatch, *map(str, clip[0].box), "v4l2src", "fakesink")
    assert len(written) == len(frames)
    assert all((image != frame).any() for image, frame in zip(written, frames, strict=True))


def test_without_gstreamer_a_sentence(monkeypatch):
    monkeypatch.setattr(cv2.videoio_registry, "getBackends", lambda: [cv2.CAP_FFMPEG])
    with pytest.raises(SystemExit, match="has no GStreamer"):
        gstreamer(monkeypatch, *"1234", "v4l2src", "fakesink")


def test_gstreamer_usage(monkeypatch):
    with pytest.raises(SystemExit, match="X Y WIDTH HEIGHT SOURCE SINK"):
        gstreamer(monkeypatch)
