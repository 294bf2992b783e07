"""Views of a comparison: mean curves, pytracking's dictionary, runs averaged, filters, attributes.

Which sequence has which attribute comes with the call: the lists belong to the benchmarks and
are not part of this package (`evaluation.get_dataset_attributes` reads them from the data set's
folder, `read_attributes` from a JSON file).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..boxtables import PathArgument
from ..errors import DatasetError, ParameterError, ResultsError
from ..results.names import Matcher, attribute_codes
from .comparison import Comparison
from .metrics import CENTER_THRESHOLDS, NORM_THRESHOLDS, Array


def get_auc_curve(
    ave_success_rate_plot_overlap: ArrayLike, valid_sequence: ArrayLike
) -> tuple[Array, Array]:
    """Mean success curve (trackers, thresholds) and AUC (trackers,), percent.

    Args:
        ave_success_rate_plot_overlap: (sequences, trackers, thresholds) rates 0..1.
        valid_sequence: (sequences,) flags.
    """
    curve = _mean_curve(ave_success_rate_plot_overlap, valid_sequence)
    return curve, curve.mean(axis=-1)


def get_prec_curve(
    ave_success_rate_plot_center: ArrayLike, valid_sequence: ArrayLike
) -> tuple[Array, Array]:
    """Mean precision curve (trackers, thresholds) and its value at 20 px (or 0.20), percent."""
    curve = _mean_curve(ave_success_rate_plot_center, valid_sequence)
    return curve, curve[:, 20]


def mean_curves(data: Comparison, kind: str) -> tuple[Array, Array, Array]:
    """Thresholds, mean curves (trackers, thresholds) and their figure (trackers,), percent.

    Args:
        kind: success, prec, or norm_prec.
    """
    valid = np.ones(len(data.sequences), bool)
    if kind == "success":
        return data.thresholds, *get_auc_curve(data.success, valid)
    if kind == "prec":
        return CENTER_THRESHOLDS, *get_prec_curve(data.precision, valid)
    return NORM_THRESHOLDS, *get_prec_curve(data.norm_precision, valid)


def _mean_curve(rates: ArrayLike, valid: ArrayLike) -> Array:
    chosen = np.asarray(rates, dtype=np.float64)[np.asarray(valid, dtype=bool)]
    if not len(chosen):
        raise ResultsError("no valid sequence to average over")
    return 100 * np.nanmean(chosen, axis=0)


def merge_multiple_runs(eval_data: Comparison | dict[str, Any]) -> Comparison | dict[str, Any]:
    """Average runs of one tracker; takes and returns a Comparison or pytracking's dictionary."""
    if isinstance(eval_data, Comparison):
        return eval_data.merged()
    return from_eval_data(eval_data).merged().eval_data()


def from_eval_data(eval_data: Mapping[str, Any]) -> Comparison:
    """A Comparison from the dictionary of `Comparison.eval_data` (or pytracking's own)."""
    keep = np.asarray(eval_data["valid_sequence"], dtype=bool)

    def array(name: str) -> Array:
        return np.asarray(eval_data[name], dtype=np.float64)[keep]

    names = [name for name, valid in zip(eval_data["sequences"], keep, strict=True) if valid]
    trackers = [
        {**one, "label": one.get("disp_name") or f"{one['name']}_{one['param']}"}
        for one in eval_data["trackers"]
    ]
    return Comparison(
        trackers=tuple(trackers),
        sequences=tuple(names),
        success=array("ave_success_rate_plot_overlap"),
        precision=array("ave_success_rate_plot_center"),
        norm_precision=array("ave_success_rate_plot_center_norm"),
        average_overlap=array("avg_overlap_all"),
        thresholds=np.asarray(eval_data["threshold_set_overlap"], dtype=np.float64),
        frames=np.zeros(len(names), np.int64),
        dataset=str(eval_data.get("dataset", "")),
        rule=str(eval_data.get("rule", "")),
        note=str(eval_data.get("note", "rule not stated in the source")),
    )


def filter_sequences(frame: pd.DataFrame, criteria: Mapping[str, Any] | None) -> pd.DataFrame:
    """Rows that pytracking's filter_criteria keep."""
    if criteria is None:
        return frame
    low, high = frame.min(axis=1), frame.max(axis=1)
    tests = {"ao_min": low, "ao_max": high, "delta_ao": low - high}
    mode = criteria.get("mode")
    if mode not in tests or "threshold" not in criteria:
        raise ParameterError(
            f"filter_criteria {dict(criteria)!r} needs mode (one of {', '.join(tests)}) "
            "and threshold (percent)"
        )
    limit = criteria["threshold"]
    return frame[tests[mode] < (-limit if mode == "delta_ao" else limit)]


def read_attributes(path: PathArgument, names: Iterable[str]) -> dict[str, list[str]]:
    """Read {"order": [codes], "sequences": {name: [codes]}}: attribute -> those of `names`.

    Raises:
        DatasetError: not such a file, or a sequence that is not in it.
    """
    order, table = attribute_codes(path)
    found, lacking = Matcher(table).pair(names)
    if lacking:
        raise DatasetError(f"{path} has no attributes of: {', '.join(lacking[:8])}")
    return {code: [n for n, match in found.items() if code in table[match]] for code in order}


def by_attribute(
    data: Comparison, groups: Mapping[str, Iterable[str]], figure: str = "auc"
) -> pd.DataFrame:
    """One row an attribute (number of its sequences in brackets), then ALL; columns trackers."""
    rows = {
        f"{name} ({len(chosen.sequences)})": chosen.figures()[figure]
        for name, names in groups.items()
        if (chosen := data.subset(names)).sequences
    }
    rows[f"ALL ({len(data.sequences)})"] = data.figures()[figure]
    frame = pd.DataFrame(rows).T
    frame.index.name = "attribute"
    return frame[data.labels]
