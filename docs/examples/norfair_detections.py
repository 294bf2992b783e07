"""Boxes of E.T.Track as `norfair.Detection`: Norfair keeps the identities of several targets.

pip install pytracking-et norfair
python norfair_detections.py VIDEO X Y WIDTH HEIGHT [CHECKPOINT]     (one row a frame and target)
"""

import sys

import cv2
import norfair
import numpy as np

from pytracking_et import ETTracker
from pytracking_et.spec import parameter_for

# How far a target may be from where Norfair expects it, in lengths of its own box. E.T.Track has
# found it already, so this only ends the identity of a box that jumped elsewhere. An IoU would not
# do: a fast target leaves its own box from one frame to the next.
FARTHEST = 3.0


def detection(box, score, label=None):
    """`norfair.Detection` with the box's two corners.

    Args:
        box: (4,) x, y, w, h in pixels, as `ETTracker.update` gives it.
        score: 0..1; both corners get it.
    """
    x, y, w, h = (float(value) for value in box)
    corners = np.array([[x, y], [x + w, y + h]])
    return norfair.Detection(corners, scores=np.full(2, float(score)), label=label)


def distance(found, target):
    """Between centers of `norfair.Detection` and tracked object, in diagonals of the found box."""
    low, high = found.points
    return np.linalg.norm((found.points - target.estimate).mean(axis=0)) / np.linalg.norm(
        high - low
    )


def frames(source):
    video = cv2.VideoCapture(source)
    while (read := video.read())[0]:
        yield read[1]
    video.release()


def main(source, box, checkpoint=None):
    tracker = ETTracker(checkpoint, parameter_for(checkpoint), color="bgr")
    # Named by E.T.Track from its first frame on: no frames to make sure that it is no false alarm.
    identities = norfair.Tracker(distance, FARTHEST, initialization_delay=0)
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
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    if not cv2.VideoCapture(sys.argv[1]).isOpened():
        sys.exit(f"{sys.argv[1]}: cannot be opened")
    main(sys.argv[1], [float(v) for v in sys.argv[2:6]], *sys.argv[6:7])
