"""Boxes drawn into a GStreamer pipeline: frames from an appsink, pictures to an appsrc.

python gstreamer_boxes.py X Y WIDTH HEIGHT SOURCE SINK      (box of the first frame, pixels)

    SOURCE  "v4l2src"
    SINK    "video/x-raw,format=I420 ! jpegenc ! rtpjpegpay ! udpsink host=192.168.0.2 port=5004"

Needs an OpenCV with GStreamer: Debian's python3-opencv, NVIDIA's on a Jetson; not pip's wheels.
"""

import sys

import cv2

from pytracking_et.integrations.opencv import TrackerET

# A slow machine skips frames, and what is seen is the newest.
APPSINK = " ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1"
APPSRC = "appsrc ! videoconvert ! "


def main(box, source, sink):
    if cv2.CAP_GSTREAMER not in cv2.videoio_registry.getBackends():
        sys.exit(f"OpenCV {cv2.__version__} in {cv2.__file__} has no GStreamer: {__doc__}")
    camera = cv2.VideoCapture(source + APPSINK, cv2.CAP_GSTREAMER)
    ok, frame = camera.read()
    if not ok:
        sys.exit(f"{source}: no frame to read")
    rate, (height, width) = camera.get(cv2.CAP_PROP_FPS) or 30, frame.shape[:2]
    output = cv2.VideoWriter(APPSRC + sink, cv2.CAP_GSTREAMER, 0, rate, (width, height))
    if not output.isOpened():
        sys.exit(f"{sink}: no such pipeline")
    tracker = TrackerET.create()
    tracker.init(frame, box)
    while ok:
        found, box = tracker.update(frame)
        cv2.rectangle(frame, box, (0, 255, 0) if found else (128, 128, 128), 2)
        output.write(frame)
        ok, frame = camera.read()
    output.release()


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    main([float(value) for value in sys.argv[1:5]], *sys.argv[5:])
