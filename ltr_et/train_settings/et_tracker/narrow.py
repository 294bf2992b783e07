"""Leave trained weights (`--initial`) fewer hidden units, with nothing trained after.

In the shipped weights between stage `all` and `refine`: 128 units to 48. `--set stages.0.units=64`
takes another number. Writes `final.safetensors` as the other recipes do.
"""

from __future__ import annotations

from pytracking_et.errors import CheckpointError

from ...settings import Settings, Stage
from ...training.launch import narrow_file
from ..sources import prepare
from .distill import HEADS, LICENSE

# Fewest units at which tracking had not changed (evaluation_results/training).
UNITS = 48


def run(settings: Settings) -> bool:
    """Write the narrower weights; see `python -m ltr_et.run_training --help`."""
    if settings.initial is None:
        raise CheckpointError("narrow starts from trained weights; give them with --initial FILE")
    settings.stages = [Stage("narrow", 320, source="crops", rates=dict(HEADS), units=UNITS)]
    settings.license_note = LICENSE
    prepare(settings, teacher=False)
    narrow_file(settings)
    return True
