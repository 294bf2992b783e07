"""Tracker entry for the vot-toolkit: `python -m pytracking_et.integrations.vot`.

The toolkit starts this process and talks TraX with it over its standard streams (PyPI `vot-trax`;
https://trax.readthedocs.io). One process serves single- and multi-object experiments: each object
is tracked on its own, all share one network. Regions may arrive as rectangle, polygon or mask and
are tracked by their bounding rectangle; rectangles go back, each with a property "confidence".
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..boxes import Box
from ..errors import BoxError, DependencyError, PytrackingETError, pip_line
from ..frames import read_image
from ..live.session import Session, SingleTracker
from ..spec import TrackerSpec
from .vot_registry import add_tracker_arguments


def bounding_rectangle(region: Any) -> Box:
    """Bounding rectangle of a TraX region.

    Args:
        region: `trax.region.Rectangle`, `Polygon` or `Mask`.

    Returns:
        (4,) float64 x, y, w, h in pixels, 0-based. A polygon's is between its extreme corners (as
        in pytracking); a mask's holds its set pixels wholly, so one pixel alone is 1 x 1.

    Raises:
        BoxError: a mask without a set pixel, or TraX's special region (no object in this frame).
    """
    if region.type == "rectangle":
        return np.array(region.bounds(), np.float64)
    if region.type == "polygon":
        return _between(np.array(list(region), np.float64))
    if region.type == "mask":
        return _around(region.array(), region.offset())
    raise BoxError(
        f"a region of type {region.type!r} cannot be tracked; the toolkit must give a rectangle, "
        "polygon or mask where an object starts"
    )


def _between(corners: NDArray[np.float64]) -> Box:
    low, high = corners.min(axis=0), corners.max(axis=0)
    return np.concatenate([low, high - low])


def _around(mask: NDArray[np.uint8], offset: ArrayLike) -> Box:
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        raise BoxError(f"the object's mask of {mask.shape} pixels is empty: nothing to track")
    pixels = np.stack([columns, rows], axis=1) + np.asarray(offset)
    # Pixel k covers k .. k + 1.
    return _between(np.concatenate([pixels, pixels + 1]).astype(np.float64))


def serve(tracker: SingleTracker, name: str = "pytracking_et") -> None:
    """Answer the toolkit until it says quit.

    Args:
        tracker: idle; every object gets a deep copy.
        name: told to the toolkit at the handshake.

    Raises:
        DependencyError: vot-trax is not installed.
        BoxError: the toolkit is told the reason and the session ends.
        ImageError: likewise.
    """
    try:
        import trax
    except ImportError as error:
        raise DependencyError(
            f"TraX cannot be loaded ({error}); install it with: {pip_line('vot')}"
        ) from error
    regions = [trax.Region.RECTANGLE, trax.Region.POLYGON, trax.Region.MASK]
    session = Session(tracker)
    # Always multi-object: an experiment with one object then is a list of one, and the toolkit's
    # real-time mode (0.9.0) refuses every single-object tracker.
    with trax.Server(regions, [trax.Image.PATH], tracker_name=name, multiobject=True) as server:
        while True:
            request = server.wait()
            if request.type == trax.TraxStatus.QUIT:
                return
            if request.type == trax.TraxStatus.INITIALIZE:
                session.reset()
            image = read_image(request.image[trax.image.ImageChannel.COLOR].path())
            session.update(image)
            for region, _properties in request.objects or []:
                session.add(image, bounding_rectangle(region))
            server.status(
                [
                    (trax.Rectangle.create(*mark.box.tolist()), {"confidence": mark.score})
                    for mark in session.marks
                ]
            )


def run(spec: TrackerSpec) -> None:
    """Open a tracker, then `serve`; opened first, so that the toolkit does not time the loading.

    Args:
        spec: without a precision, `evaluation_precision` says which.
    """
    from ..live.run import make_tracker
    from ..tracker.params import evaluation_precision

    if spec.precision is None and spec.tracker == "et_tracker":
        spec = replace(spec, precision=evaluation_precision(spec.parameters()))
    serve(make_tracker(spec), f"{spec.tracker}_{spec.parameter}")


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one toolkit session; exit code 2 where the tracker cannot be opened or go on."""
    parser = argparse.ArgumentParser(prog="python -m pytracking_et.integrations.vot")
    add_tracker_arguments(parser)
    try:
        run(TrackerSpec.fitting(**vars(parser.parse_args(argv))))
    except PytrackingETError as error:
        print(f"pytracking_et: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
