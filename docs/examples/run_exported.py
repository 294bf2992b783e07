"""Track with exported graphs: ONNX Runtime, numpy and OpenCV; nothing of pytracking-et.

The published loop: without the smaller crops, the association and the probabilities of ETTracker.

ettrack export --format onnx --output graphs
python run_exported.py graphs video.mp4 X Y WIDTH HEIGHT      (box of the first frame, pixels)
"""

import json
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

if len(sys.argv) < 7:
    sys.exit(__doc__)
folder, (x, y, w, h) = Path(sys.argv[1]), map(float, sys.argv[3:7])
if not (folder / "metadata.json").is_file():
    sys.exit(f"{folder}: no metadata.json; ettrack export --format onnx --output {folder}")
meta = json.loads((folder / "metadata.json").read_text())
loop = meta["loop"]


def session(kind, side):
    return onnxruntime.InferenceSession(str(folder / f"{kind}_{side}.onnx"))


def crop(frame, cx, cy, side, output):
    left, top = round(cx - (side + 1) / 2), round(cy - (side + 1) / 2)
    x0, y0 = max(left, 0), max(top, 0)
    patch = frame[y0 : max(top + side, y0), x0 : max(left + side, x0)]
    below, right = top + side - y0 - patch.shape[0], left + side - x0 - patch.shape[1]
    border = (y0 - top, below, x0 - left, right)
    patch = cv2.copyMakeBorder(patch, *border, cv2.BORDER_CONSTANT, value=fill)
    return cv2.cvtColor(cv2.resize(patch, (output, output)), cv2.COLOR_BGR2RGB)[None]


def padded(w, h, share=0.5):
    return np.sqrt((w + share * (w + h)) * (h + share * (w + h)))


video = cv2.VideoCapture(sys.argv[2])
ok, frame = video.read()
if not ok:
    sys.exit(f"{sys.argv[2]}: no frame to read")
height, width = frame.shape[:2]
fill = [int(v) for v in cv2.mean(frame)[:3]]
small = w * h / (width * height) < loop["small_target"]
side = loop["small_search_size" if small else "search_size"]
cx, cy = x + w / 2, y + h / 2
patch = crop(frame, cx, cy, math.floor(padded(w, h, loop["context"]) + 0.5), loop["template_size"])
search = session("search", side)
(template,) = session("template", loop["template_size"]).run(None, {"image": patch})
while (read := video.read())[0]:
    scale = loop["template_size"] / padded(w, h, loop["context"])
    region = math.floor(side / scale + 0.5)
    patch = crop(read[1], cx, cy, region, side)
    if loop["anchor"] == "crop":
        scale = side / region
        cx, cy = (round(c - (region + 1) / 2) + region / 2 for c in (cx, cy))
    score, sides = search.run(None, {"template": template, "image": patch})
    cells, stride = score.shape[-1], meta["stride"]
    grid = (np.arange(cells) - cells // 2) * stride
    left, top, right, bottom = sides.astype(float)
    ws, hs = np.maximum(left + right, 1e-6), np.maximum(top + bottom, 1e-6)
    change = [padded(ws, hs) / padded(w * scale, h * scale), (w / h) / (ws / hs)]
    change = np.prod([np.maximum(c, 1 / c) for c in change], axis=0)
    penalty = np.exp(-(change - 1) * loop["penalty_k"])
    hann, influence = np.hanning(cells), loop["window_influence"]
    rank = penalty * score * (1 - influence) + np.outer(hann, hann) * influence
    r, c = at = np.unravel_index(np.argmax(rank), rank.shape)
    rate = float(penalty[at] * score[at] * loop["lr"])
    for _ in range(2 if loop["size_smoothing"] == "twice" else 1):
        ws, hs = w * scale * (1 - rate) + ws * rate, h * scale * (1 - rate) + hs * rate
    cx = np.clip(cx + (grid[c] + (right - left)[at] / 2) / scale, 0, width)
    cy = np.clip(cy + (grid[r] + (bottom - top)[at] / 2) / scale, 0, height)
    w = min(max(ws[at] / scale, loop["minimum_size"]), width)
    h = min(max(hs[at] / scale, loop["minimum_size"]), height)
    print(f"{max(cx - w / 2, 0):.2f},{max(cy - h / 2, 0):.2f},{w:.2f},{h:.2f},{score[at]:.3f}")
