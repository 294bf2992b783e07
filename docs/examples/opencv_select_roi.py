"""OpenCV's tracking example with E.T.Track: the line with `create` is all that changes.

python opencv_select_roi.py VIDEO [CHECKPOINT]     (or 0 for the first camera)
Draw a box, press Enter; Escape ends. Needs opencv-python with windows (not -headless).
"""

import sys

import cv2

from pytracking_et.integrations.opencv import TrackerET
from pytracking_et.spec import parameter_for

if len(sys.argv) < 2:
    sys.exit(__doc__)
source = sys.argv[1]
weights = sys.argv[2] if len(sys.argv) > 2 else None

# was: cv2.TrackerNano.create()
tracker = TrackerET.create(checkpoint=weights, parameter=parameter_for(weights))
video = cv2.VideoCapture(int(source) if source.isdigit() else source)
ok, frame = video.read()
if not ok:
    sys.exit(f"{source}: no frame to read")
box = cv2.selectROI("E.T.Track", frame)
if not all(box[2:]):  # all zero where Escape or "c" ended the drawing
    sys.exit("no box was drawn")
tracker.init(frame, box)
while True:
    ok, frame = video.read()
    if not ok:
        break
    found, box = tracker.update(frame)
    color = (0, 255, 0) if found else (0, 0, 255)
    cv2.rectangle(frame, box, color, 2)
    text = f"{tracker.getTrackingScore():.2f}"
    cv2.putText(frame, text, (10, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, color, 2)
    cv2.imshow("E.T.Track", frame)
    if cv2.waitKey(1) == 27:
        break
cv2.destroyAllWindows()
