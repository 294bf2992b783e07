"""`TrackerParams`, pytracking's bag of parameters, and what the loop reads from it."""

from __future__ import annotations

import dataclasses
import difflib
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..tracking.parameters import Parameters


class TrackerParams:
    """Attributes with defaults, as pytracking's parameter files expect."""

    # pytracking's loop for VOT up to 2019 reads it from every parameter file: the box of a polygon
    # is the one around its corners, as in our own entry (`integrations.vot`).
    vot_anno_conversion_type = "union"

    if TYPE_CHECKING:
        # A bag: any attribute may be set and read.
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init__(self, **fields: Any) -> None:
        self.set_default_values(fields)

    def set_default_values(self, fields: Mapping[str, Any]) -> None:
        """Set the attributes that are not there yet."""
        for name, value in fields.items():
            if not hasattr(self, name):
                setattr(self, name, value)

    def get(self, name: str, *default: Any) -> Any:
        """Value of an attribute, or the default.

        Raises:
            AttributeError: absent and no default given.
        """
        return getattr(self, name, *default)

    def has(self, name: str) -> bool:
        """Whether there is an attribute of that name."""
        return hasattr(self, name)


# Fields that belong to the tracker or to pytracking's harness and not to the loop.
HARNESS_FIELDS = frozenset({
    "network", "checkpoint", "engine", "precision", "threads", "color", "use_checkpoint_parameters",
    "visualization", "debug", "tracker_name", "param_name", "run_id", "multiobj_mode", "use_gpu",
    "device", "visdom_info", "vot_anno_conversion_type", "object_presence_score_threshold",
    "segmentation_threshold", "free_memory",
})  # fmt: skip


def evaluation_precision(params: Any) -> str:
    """The rule: who evaluates computes in float32, unless parameter file or user say otherwise.

    bf16 and int8 boxes differ by pixels between processors and thread counts, float32's do not, and
    figures must be the same everywhere. It holds for `run`, `experiment`, the cluster, VOT, the
    GOT-10k toolkit, and for the plug-in in pytracking's harness. Live modes, `ETTracker` and its
    OpenCV-style face take the fastest precision that is right instead.
    """
    return params.get("precision", None) or "f32"


def published(network: str) -> TrackerParams:
    """Bag of the published loop and its constants for the network `network`."""
    return TrackerParams(network=network, **dataclasses.asdict(Parameters()))


def loop_parameters(params: Any, tuned: Mapping[str, Any]) -> Parameters:
    """Constants of the loop from a parameter bag.

    Args:
        params: bag; every attribute must be a loop parameter or belong to the harness.
        tuned: constants stored with the weights; used where the bag says
            `use_checkpoint_parameters`, and overruled by what the bag sets itself.

    Raises:
        ParameterError: an attribute that looks like a misspelt parameter. One that resembles
            none only warns: other harnesses put attributes of their own into the bag.
    """
    own = {}
    for name, value in vars(params).items():
        if name in Parameters.names() or difflib.get_close_matches(name, Parameters.names()):
            own[name] = value
        elif name not in HARNESS_FIELDS:
            warnings.warn(f"parameter {name!r} = {value!r} is read by nothing here", stacklevel=2)
    base = dict(tuned) if getattr(params, "use_checkpoint_parameters", False) else {}
    return Parameters.from_fields({**base, **own})
