"""Boxes of E.T.Track as `norfair.Detection`: Norfair keeps the identities of several targets.

pip install pytracking-et norfair
python norfair_detections.py VIDEO X Y WIDTH HEIGHT [CHECKPOINT]     (one row a frame and target)
"""

import sys

import cv2
import norfair
import numpy as np

from pytracking_et import ETTracker


def detection(box, score, label=None):
    """`norfair.Detection` with the box's two corners.

    Args:
        box: (4,) x, y, w, h in pixels, as `ETTracker.update` gives it.
        score: 0..1; both corners get it.
    """
    x, y, w, h = (float(value) for value in box)
    corners = np.array([[x, y], [x + w, y + h]])
    return norfair.Detection(corners, scores=np.full(2, float(score)), label=label)


def frames(source):
    video = cv2.VideoCapture(source)
    while (read := video.read())[0]:
        yield read[1]
    video.release()


def main(source, box, checkpoint=None):
    tracker = ETTracker(checkpoint, "lt_mobile" if checkpoint else "et_tracker", color="bgr")
    identities = norfair.Tracker(distance_function="iou", distance_threshold=0.7)
    score = 1.0
    for index, frame in enumerate(frames(source)):
        if index == 0:
            tracker.init(frame, box)
        else:
            box, score = tracker.update(frame)
        # Below 0.5 the target is probably hidden: Norfair then goes on by its motion model.
        seen = [detection(box, score)] if score >= 0.5 else None
        for target in identities.update(seen):
            (left, top), (right, bottom) = target.estimate
            row = (index, target.id, left, top, right - left, bottom - top)
            print(",".join(f"{value:.2f}" for value in row))


if __name__ == "__main__":
    main(sys.argv[1], [float(v) for v in sys.argv[2:6]], *sys.argv[6:7])
