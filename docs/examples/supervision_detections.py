"""Boxes of E.T.Track as `supervision.Detections`, drawn by supervision's annotators.

pip install pytracking-et supervision
python supervision_detections.py VIDEO OUTPUT.mp4 X Y WIDTH HEIGHT [CHECKPOINT]
"""

import sys

import cv2
import numpy as np
import supervision as sv

from pytracking_et import ETTracker
from pytracking_et.spec import parameter_for


def detections(boxes, scores, ids):
    """`sv.Detections` of several targets in one frame.

    Args:
        boxes: (N, 4) x, y, w, h in pixels, as `ETTracker.update` gives them.
        scores: (N,) 0..1.
        ids: (N,) a number for each target, which stays its own through the video.
    """
    corners = sv.xywh_to_xyxy(np.asarray(boxes, float).reshape(-1, 4))
    return sv.Detections(
        xyxy=corners,
        confidence=np.asarray(scores, float),
        tracker_id=np.asarray(ids, int),
        class_id=np.zeros(len(corners), int),
    )


def main(source, target, box, checkpoint=None):
    tracker = ETTracker(checkpoint, parameter_for(checkpoint), color="bgr")
    draw, label, trace = sv.BoxAnnotator(), sv.LabelAnnotator(), sv.TraceAnnotator()
    score = 1.0
    with sv.VideoSink(target, sv.VideoInfo.from_video_path(source)) as sink:
        for index, frame in enumerate(sv.get_video_frames_generator(source)):
            if index == 0:
                tracker.init(frame, box)
            else:
                box, score = tracker.update(frame)
            found = detections([box], [score], [1])
            scene = draw.annotate(trace.annotate(frame.copy(), found), found)
            sink.write_frame(label.annotate(scene, found, [f"{score:.2f}"]))


if __name__ == "__main__":
    if len(sys.argv) < 7:
        sys.exit(__doc__)
    if not cv2.VideoCapture(sys.argv[1]).isOpened():
        sys.exit(f"{sys.argv[1]}: cannot be opened")
    main(sys.argv[1], sys.argv[2], [float(v) for v in sys.argv[3:7]], *sys.argv[7:8])
