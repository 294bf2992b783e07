"""A ROS 2 node (Humble or newer): camera images in, E.T.Track's boxes out.

python ros2_node.py --ros-args -r image:=/camera/image_raw -p box:="[100, 80, 60, 40]"

Reads `image` (sensor_msgs/Image; of several that wait, the newest) and `start`
(vision_msgs/Detection2D: the target from the next image on, such as a detector's; `box` is one for
the first image). Publishes `detections` (vision_msgs/Detection2DArray) for every image from the
start on, with the image's header; the array is empty while the target is lost.
"""

import sys
from contextlib import suppress

import numpy as np

from pytracking_et import ETTracker
from pytracking_et.errors import ImageError, PytrackingETError

# sensor_msgs' names of what a camera gives: bytes a pixel, channel order.
ENCODINGS = {
    "rgb8": (3, "rgb"),
    "bgr8": (3, "bgr"),
    "rgba8": (4, "rgb"),
    "bgra8": (4, "bgr"),
    "mono8": (1, "rgb"),
}


def pixels(message):
    """(image (H, W, C) uint8, "rgb" or "bgr") of a sensor_msgs/Image.

    Raises:
        ImageError: an encoding that is not in ENCODINGS, or bytes that are no image of this size.
    """
    if message.encoding not in ENCODINGS:
        raise ImageError(
            f"encoding {message.encoding!r}: give one of {', '.join(ENCODINGS)} "
            "(image_proc makes them of raw formats)"
        )
    depth, color = ENCODINGS[message.encoding]
    data, height, width = np.frombuffer(message.data, np.uint8), message.height, message.width
    if data.size != height * message.step or message.step < width * depth:
        raise ImageError(
            f"{data.size} bytes in rows of {message.step}: no {message.encoding} image of "
            f"{width}x{height} pixels"
        )
    rows = data.reshape(height, message.step)[:, : width * depth]
    return rows.reshape(height, width, depth), color


def box_of(detection):
    """x, y, w, h in pixels of a vision_msgs/Detection2D."""
    center, w, h = detection.bbox.center.position, detection.bbox.size_x, detection.bbox.size_y
    return center.x - w / 2, center.y - h / 2, w, h


def detection_array(vision, header, targets):
    """vision_msgs/Detection2DArray.

    Args:
        vision: the module vision_msgs.msg.
        header: of the image.
        targets: (id, box, score) of each target; box x, y, w, h in pixels, score 0..1.
    """
    array = vision.Detection2DArray(header=header)
    for number, (x, y, w, h), score in targets:
        detection = vision.Detection2D(header=header, id=str(number))
        detection.bbox.center.position.x = float(x + w / 2)
        detection.bbox.center.position.y = float(y + h / 2)
        detection.bbox.size_x, detection.bbox.size_y = float(w), float(h)
        found = vision.ObjectHypothesisWithPose()
        found.hypothesis.class_id = "target"
        found.hypothesis.score = float(score)
        detection.results.append(found)
        array.detections.append(detection)
    return array


class Follower:
    """One target through images that come as messages; each start gives it a new id.

    Args:
        tracker: an ETTracker.
        box: x, y, w, h in pixels of the first image; None waits for `start`.
    """

    def __init__(self, tracker, box=None):
        self.tracker = tracker
        self.start_box = box
        self.id = 0

    def start(self, detection):
        """Take the target of a vision_msgs/Detection2D from the next image on."""
        self.start_box = box_of(detection)

    def follow(self, message):
        """(id, box, score) of each target in the image: none while it is lost; None: no target.

        Raises:
            PytrackingETError: an image or a start box that cannot be used; the next may be better.
        """
        image, color = pixels(message)
        box, self.start_box = self.start_box, None
        if box is not None:
            self.tracker.init(image, box, color)
            self.id += 1
            return [(self.id, self.tracker.box, 1.0)]
        if not self.id:
            return None
        box, score = self.tracker.update(image, color)
        return [] if self.tracker.lost else [(self.id, box, score)]


def main():
    try:
        import rclpy
        from rcl_interfaces.msg import ParameterDescriptor
        from rclpy.executors import ExternalShutdownException
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from sensor_msgs.msg import Image
        from vision_msgs import msg as vision
    except ImportError as error:
        sys.exit(
            f"{error}: this node runs with the Python of a ROS 2 installation; first "
            "`source /opt/ros/DISTRO/setup.bash`, and `apt-get install ros-DISTRO-vision-msgs`"
        )
    rclpy.init()
    node = rclpy.create_node("ettrack")
    # Of any type: ROS reads [100, 80, 60, 40] as integers and [100.0, ...] as doubles.
    box = node.declare_parameter("box", None, ParameterDescriptor(dynamic_typing=True)).value
    follower = Follower(ETTracker(), box)
    publisher = node.create_publisher(vision.Detection2DArray, "detections", 10)

    def on_image(message):
        try:
            targets = follower.follow(message)
        except PytrackingETError as error:
            node.get_logger().error(str(error))
            return
        if targets is not None:
            publisher.publish(detection_array(vision, message.header, targets))

    # Best effort suits every camera; a queue of one, for late images help nobody.
    newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    node.create_subscription(Image, "image", on_image, newest)
    node.create_subscription(vision.Detection2D, "start", follower.start, 10)
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
