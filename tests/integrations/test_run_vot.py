"""run_vot.py under pytracking's names, as a script and as trackers.ini calls it."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from ..conftest import ROOT
from . import vot_workspace

CALL = "import pytracking_et.run_vot as run_vot; run_vot.run_vot2020('et_tracker', 'lt_mobile')"
SCRIPT = ROOT / "pytracking_et" / "run_vot.py"


def test_errors_leave_with_2_and_no_traceback():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "nobody", "x", "--run_id", "1"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert "nobody" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["-c", CALL], [str(SCRIPT), "et_tracker", "lt_mobile", "--run_id", "3"]]
)
def test_one_session(words, checkpoint, tmp_path):
    trax = pytest.importorskip("trax", reason="pip install 'pytracking-et[vot]'")
    paths = [str(tmp_path / f"{index}.png") for index in range(2)]
    for seed, path in enumerate(paths):
        cv2.imwrite(path, np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8))
    frames = [{"color": trax.FileImage.create(path)} for path in paths]
    places = {"PYTRACKING_ET_CHECKPOINT": str(checkpoint), "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **places}
    with vot_workspace.session(*words, cwd=tmp_path, env=environment) as (child, client):
        assert client.tracker_name == "et_tracker_lt_mobile"
        polygon = trax.Polygon.create([(50, 50), (65, 40), (80, 50), (65, 60)])
        objects, _ = client.initialize(frames[0], [(polygon, {})], {})
        assert objects[0][0].bounds() == (50, 40, 30, 20)
        objects, _ = client.frame(frames[1], {}, [])
        assert objects[0][0].type == "rectangle"
        client.quit()
        assert child.wait(60) == 0
