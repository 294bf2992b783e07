"""Parameter files, one folder a tracker: `pytracking_et.parameter.<tracker>.<parameter>`.

The files live in the top-level folder `parameter/` (the layout of pytracking). Installed, they lie
in this package; in a bare checkout they are found beside `pytracking_et/`.
"""

from pathlib import Path

_checkout = Path(__file__).resolve().parents[2] / "parameter"
if (_checkout / "et_tracker").is_dir():
    __path__.append(str(_checkout))
