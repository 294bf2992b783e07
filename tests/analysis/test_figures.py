"""Figures: names that do not cover each other, options, files."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pytracking_et.analysis.figures import draw_speed, plot_options, save_figure
from pytracking_et.analysis.summary import published_figures
from pytracking_et.errors import ParameterError


def speed_figure():
    paper = published_figures()
    table = pd.DataFrame({"fps": paper["CPU fps"], "auc": paper["OTB-100"]})
    return draw_speed(table, {"mine": (48.0, 67.5), "other": (15.5, 69.7)}, "OTB-100", "note")


def test_names_do_not_cover_each_other():
    figure = speed_figure()
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert len(boxes) == 14
    for one, two in itertools.combinations(boxes, 2):
        # Text widths are estimated: a pixel or two of the margins may touch.
        assert not one.expanded(0.85, 0.7).overlaps(two.expanded(0.85, 0.7))


def test_save(tmp_path):
    written = save_figure(speed_figure(), tmp_path / "a.b", ["svg", "png"])
    assert [path.name for path in written] == ["a.b.svg", "a.b.png"]
    assert all(path.stat().st_size > 1000 for path in written)


@pytest.mark.parametrize("form", ["jpg", ""])
def test_unknown_format(tmp_path, form):
    with pytest.raises(ParameterError, match="unknown figure format"):
        save_figure(speed_figure(), tmp_path / "a", [form])
    assert not list(tmp_path.iterdir())


def test_options():
    assert plot_options("success", {"title": "x"})["title"] == "x"
    assert plot_options("success")["title"] == "Success plot"
