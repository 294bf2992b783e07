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
    from .eval_data import (
        by_attribute,
        get_auc_curve,
        get_prec_curve,
        merge_multiple_runs,
        read_attributes,
    )
    from .figures import save_figure
    from .looks import LOOKS, Look, get_plot_draw_styles
    from .readers import BoxSet, read_boxes, read_ground_truth, read_visibility
    from .report import write_report
    from .rules import RULES, Rule
    from .scoring import FIGURES, Score, score, score_got10k
    from .summary import (
        fps_statistics,
        published_figures,
        published_table,
        result_tables,
        speed_figure,
        speed_table,
        summary_table,
    )
    from .tables import Table
    from .trackers import ResultFolder, ResultTracker, find_trackers, read_results
    from .vot import read_supervised, score_from_start, score_longterm, score_supervised

_HOME = {
    "scoring": ("score", "score_got10k", "Score", "FIGURES"),
    "rules": ("RULES", "Rule"),
    "readers": ("BoxSet", "read_boxes", "read_ground_truth", "read_visibility"),
    "comparison": ("Comparison", "annotate", "compare"),
    "trackers": ("ResultFolder", "ResultTracker", "find_trackers", "read_results"),
    "tables": ("Table",),
    "summary": (
        "published_figures",
        "summary_table",
        "result_tables",
        "published_table",
        "speed_figure",
        "fps_statistics",
        "speed_table",
    ),
    "vot": ("score_supervised", "score_from_start", "score_longterm", "read_supervised"),
    "figures": ("save_figure",),
    "looks": ("LOOKS", "Look", "get_plot_draw_styles"),
    "eval_data": (
        "by_attribute",
        "get_auc_curve",
        "get_prec_curve",
        "merge_multiple_runs",
        "read_attributes",
    ),
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
