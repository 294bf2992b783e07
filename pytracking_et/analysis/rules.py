"""Which frames count, and how a frame without a valid annotation is scored.

Three rules are in use; the same result files give different figures under each, so every table
and plot names the one it was made with. All share: 21 overlap thresholds 0, 0.05, ... 1 with
success where IoU is greater; precision at a center error of at most 20 px; normalized precision
at 0.2; first frame replaced by the annotation; the mean over sequences of hits / all frames.
A perfect tracker therefore has an AUC of 95.24 (20 of 21 thresholds).

Sources: `pytracking` and `ettrack`: the figures of visionml/pytracking and pblatter/ettrack.
`lasot-toolkit`: the procedure of the LaSOT evaluation toolkit (Fan et al., CVPR 2019) as
documented; not run side by side with its MATLAB code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import DatasetError, ParameterError
from ..results.names import plain_dataset

Family = Literal["uav", "lasot", "got10k", "vot", "other"]


@dataclass(frozen=True)
class Rule:
    """When a ground-truth row is valid, and what an invalid frame counts.

    Attributes:
        name: as given to `score`.
        needs_position: x and y must be positive too, not only w and h.
        drops_absent: on every data set, frames marked not visible can be no hit of any kind, and
            one that is invalid but visible counts as a precision hit.
        text: one sentence for tables and plots.
    """

    name: str
    needs_position: bool
    drops_absent: bool
    text: str


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "pytracking",
            needs_position=True,
            drops_absent=False,
            text="rule pytracking: a frame is valid where x, y, w and h of the annotation are > 0",
        ),
        Rule(
            "ettrack",
            needs_position=False,
            drops_absent=False,
            text="rule ettrack: a frame is valid where w and h of the annotation are > 0",
        ),
        Rule(
            "lasot-toolkit",
            needs_position=True,
            drops_absent=True,
            text="rule lasot-toolkit: frames marked absent are never a hit; "
            "a frame is valid where x, y, w and h of the annotation are > 0",
        ),
    )
}

# By name, since UAVDT or UAVTrack112 are other data sets and follow no habit of UAV123.
_UAV = ("uav", "uav123", "uav12310fps", "uav10fps")

# Ground truth of these is hidden beyond the first frame: only their servers can score them.
_HIDDEN = {
    "got10ktest": "https://got-10k.aitestunion.com (ettrack pack got10k)",
    "trackingnet": "https://eval.ai/web/challenges/challenge-page/1805 (ettrack pack trackingnet)",
    "oxuvatest": "its own server",
}


def find_rule(name: str) -> Rule:
    """Return the rule called `name`, or raise ParameterError listing the three."""
    if name not in RULES:
        raise ParameterError(f"unknown rule {name!r}; one of: {', '.join(RULES)}")
    return RULES[name]


def family(dataset: str) -> Family:
    """Which habits a data set follows: see `Family`; case and _-@ are ignored.

    UAV123@10fps follows UAV123 and the LaSOT extension follows LaSOT.

    Raises:
        DatasetError: the ground truth of this data set is not public.
    """
    plain = plain_dataset(dataset)
    refuse_hidden(dataset)
    if plain in _UAV:
        return "uav"
    if plain.startswith("lasot"):
        return "lasot"
    # By name or year, since a folder may be called "votes".
    if plain == "vot" or plain.startswith("vot20"):
        return "vot"
    return "got10k" if plain.startswith("got10k") else "other"


def refuse_hidden(dataset: str) -> None:
    """Raise DatasetError for a data set whose ground truth is one box per sequence.

    Scoring it anyway compares one frame that is given to the tracker: everybody scores 95.24.
    """
    server = _HIDDEN.get(plain_dataset(dataset))
    if server:
        raise DatasetError(
            f"the ground truth of {dataset!r} is hidden beyond the first frame, so nothing can be "
            f"scored here; pack the results and send them to {server}"
        )
