"""Result files and ground truth in; tables, plots and a report out.

    from pytracking_et.analysis import score, read_results, read_ground_truth
    truth = read_ground_truth("annotations")
    print(score(read_results("results/et_tracker/et_tracker", truth), truth, dataset="otb").auc)

Imported on first use, so that reading boxes does not load matplotlib.
"""

# ruff: noqa: F401 - imported for type checkers; _HOME gives them at run time

from __future__ import annotations

import importlib
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # but plot_results, which imports this package: its module has its types
    from .comparison import Comparison, annotate, compare
    from .eval_data import get_auc_curve, get_prec_curve, merge_multiple_runs, read_attributes
    from .looks import Look, get_plot_draw_styles
    from .readers import read_boxes, read_ground_truth
    from .report import write_report
    from .scoring import Score, score, score_got10k
    from .trackers import read_results
    from .vot import read_supervised, score_from_start, score_longterm, score_supervised

_HOME = {
    "scoring": ("score", "score_got10k", "Score"),
    "readers": ("read_boxes", "read_ground_truth"),
    "comparison": ("Comparison", "annotate", "compare"),
    "trackers": ("read_results",),
    "vot": ("score_supervised", "score_from_start", "score_longterm", "read_supervised"),
    "looks": ("Look", "get_plot_draw_styles"),
    "eval_data": ("get_auc_curve", "get_prec_curve", "merge_multiple_runs", "read_attributes"),
    "plot_results": (
        "check_and_load_precomputed_results",
        "generate_formatted_report",
        "plot_attributes_radar",
        "plot_got_success",
        "print_per_sequence_results",
        "print_results",
        "print_results_per_attribute",
    ),
    "report": ("write_report",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}
# pytracking has modules of these names with a function of the same.
_CALLABLE = ("plot_results", "playback_results")
__all__ = sorted([*_MODULE, *_CALLABLE])


class CallableModule(types.ModuleType):
    """A module that can be called as well as looked into: it stands for its namesake in it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **kwargs)


def __getattr__(name: str) -> Any:
    if name in _CALLABLE:
        return importlib.import_module(f".{name}", __name__)
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
