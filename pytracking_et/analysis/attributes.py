"""Figures per attribute (occlusion, fast motion, ...).

Which sequence has which attribute comes with the call: the lists belong to the benchmarks and
are not part of this package (`evaluation.get_dataset_attributes` reads them from the data set's
folder, `read_attributes` from a JSON file).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..errors import DatasetError
from ..files import read_json, reading
from ..results.names import Matcher
from .boxfiles import PathArgument
from .comparison import Comparison, compare
from .figures import draw_radar, save_figure
from .tables import Table
from .writing import output


def read_attributes(path: PathArgument, names: Iterable[str]) -> dict[str, list[str]]:
    """Read {"order": [codes], "sequences": {name: [codes]}}: attribute -> those of `names`.

    Raises:
        DatasetError: not such a file, or a sequence that is not in it.
    """
    source = Path(path)
    advice = 'expected {"order": [codes], "sequences": {name: [codes]}}'
    with reading(source, DatasetError, advice):
        content = read_json(source, DatasetError, advice)
        table = {
            name: {str(code) for code in codes} for name, codes in content["sequences"].items()
        }
        order = [str(code) for code in content["order"]]
    matcher = Matcher(table)
    found = {name: matcher.find(name) for name in names}
    lacking = [name for name, match in found.items() if match is None]
    if lacking:
        raise DatasetError(f"{source} has no attributes of: {', '.join(lacking[:8])}")
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


def attribute_table(
    trackers: Sequence[Any],
    datasets_dict: Mapping[str, Iterable[Any]],
    merge_results: bool = False,
    figure: str = "auc",
    **kwargs: Any,
) -> tuple[pd.DataFrame, str]:
    """One row an attribute (and "ALL"), one column a tracker, percent; and the note.

    Args:
        datasets_dict: attribute -> sequences; a sequence with several attributes is scored once.
    """
    groups = {name: list(sequences) for name, sequences in datasets_dict.items()}
    every = {one.name: one for sequences in groups.values() for one in sequences}
    data = compare(trackers, list(every.values()), merge_results=merge_results, **kwargs)
    names = {name: [one.name for one in sequences] for name, sequences in groups.items()}
    return by_attribute(data, names, figure), data.note


def print_results_per_attribute(
    trackers: Sequence[Any],
    datasets_dict: Mapping[str, Iterable[Any]],
    report_name: str,
    merge_results: bool = False,
    **kwargs: Any,
) -> pd.DataFrame:
    """Print the AUC of each attribute; the number of its sequences stands in brackets."""
    _, _, options = output(report_name, kwargs)
    frame, note = attribute_table(trackers, datasets_dict, merge_results, **options)
    print(Table(frame, f"AUC per attribute, {report_name}", note).to_text())
    return frame


def plot_attributes_radar(
    trackers: Sequence[Any],
    datasets_dict: Mapping[str, Iterable[Any]],
    report_name: str,
    merge_results: bool = False,
    **kwargs: Any,
) -> Figure:
    """Draw the AUC of each attribute as a radar plot (radar_plot.pdf, .svg, .png)."""
    folder, formats, options = output(report_name, kwargs)
    frame, note = attribute_table(trackers, datasets_dict, merge_results, **options)
    figure = draw_radar(frame.iloc[:-1], f"AUC per attribute [%], {report_name}", note)
    save_figure(figure, folder / "radar_plot", formats)
    return figure
