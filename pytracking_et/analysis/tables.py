"""Tables that state their rule: plain text, Markdown, LaTeX, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..boxtables import PathArgument
from ..errors import ParameterError, ResultsError
from ..files import atomic_path

# Column of a frame -> (heading, meaning). What is not listed is shown under its own name.
COLUMNS: dict[str, tuple[str, str]] = {
    "auc": ("AUC", "mean of the success curve over 21 overlap thresholds, %"),
    "op50": ("OP50", "frames with IoU > 0.50, %"),
    "op75": ("OP75", "frames with IoU > 0.75, %"),
    "precision": ("Precision", "frames with a centre error of at most 20 px, %"),
    "norm_precision": ("Norm precision", "frames with a normalised centre error <= 0.2, %"),
    "ao": ("AO", "mean IoU, %"),
    "sr50": ("SR50", "frames with IoU > 0.50, %"),
    "sr75": ("SR75", "frames with IoU > 0.75, %"),
    "fps": ("FPS", "frames per second: tracked frames / their total time, first frames excluded"),
    "median_fps": ("Median FPS", "1 / median time of a frame, first frames excluded"),
    "slow_fps": ("Slow FPS", "1 / 95th percentile of the time of a frame"),
    "init_ms": ("Init ms", "median time of the first frame of a sequence, milliseconds"),
    "accuracy": ("Accuracy", "mean overlap while tracking, 0..1"),
    "robustness": ("Robustness", "share of frames before the failure that the note defines"),
    "failures": ("Failures", "failures in all sequences, mean over repetitions"),
    "eao": ("EAO", "expected average overlap, 0..1"),
    "frames": ("Frames", "frames of the sequence"),
    "valid": ("Valid", "frames with a valid annotation"),
    "predicted": ("Predicted", "rows of the result file"),
}
FORMATS = ("text", "md", "latex", "csv", "json")


@dataclass(frozen=True)
class Table:
    """A frame with a title and the sentence that says how its figures came about.

    Attributes:
        frame: one row a tracker (or sequence), numeric columns.
        title: shown with it.
        note: shown with it.
        digits: after the point. Column names of COLUMNS are shown by their heading.
        best: mark the highest figure of each column (bold in Markdown and LaTeX).
    """

    frame: pd.DataFrame
    title: str
    note: str
    digits: int = 2
    best: bool = True
    meanings: Mapping[str, str] = field(default_factory=dict)

    def render(self, form: str = "text") -> str:
        """The table in one of FORMATS; ends with a newline."""
        writers = {
            "text": self.to_text,
            "md": self.to_markdown,
            "latex": self.to_latex,
            "csv": self.to_csv,
            "json": self.to_json,
        }
        if form not in writers:
            raise ParameterError(f"unknown table format {form!r}; one of: {', '.join(FORMATS)}")
        return writers[form]()

    def write(self, path: PathArgument, form: str) -> None:
        """Write the table, whole or not at all."""
        write_text(path, self.render(form))

    def headings(self) -> list[str]:
        """Heading of each column."""
        return [COLUMNS.get(str(name), (str(name), ""))[0] for name in self.frame.columns]

    def _meaning(self, name: Any) -> str:
        return self.meanings.get(str(name)) or COLUMNS.get(str(name), ("", ""))[1]

    def described(self) -> dict[str, str]:
        """Heading -> meaning, of the columns that have one."""
        pairs = zip(self.headings(), map(self._meaning, self.frame.columns), strict=True)
        return {heading: meaning for heading, meaning in pairs if meaning}

    def cells(self) -> list[list[str]]:
        """Shown text of each row, without the row's name; a dash where there is no figure."""
        return [[self._cell(value) for value in row] for row in self.frame.itertuples(index=False)]

    def leaders(self) -> list[list[bool]]:
        """Which cells are the best of their column, as shown (so ties share it)."""
        marks = pd.DataFrame(False, self.frame.index, self.frame.columns)
        if self.best and len(self.frame) > 1:
            # No figure at all (NaN) is equal to none.
            rounded = self.frame.select_dtypes("floating").round(self.digits)
            marks[rounded.columns] = rounded == rounded.max()
        return marks.to_numpy(dtype=bool).tolist()

    def _cell(self, value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.{self.digits}f}" if math.isfinite(value) else "-"
        return "-" if value is None else str(value)

    def _corner(self) -> str:
        return str(self.frame.index.name or "")

    def to_text(self) -> str:
        """Aligned columns for a terminal."""
        rows = [[self._corner(), *self.headings()]]
        rows += [
            [str(name), *row] for name, row in zip(self.frame.index, self.cells(), strict=True)
        ]
        widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) if j == 0 else cell.rjust(width)
                for j, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([self.title, *lines, f"({self.note})"]) + "\n"

    def to_markdown(self) -> str:
        """GitHub-flavored Markdown, best figures bold."""

        def row(cells: list[str]) -> str:
            return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

        lines = [f"**{self.title}**", "", row([self._corner(), *self.headings()])]
        lines.append("|---|" + "---:|" * self.frame.shape[1])
        for name, cells, marks in zip(self.frame.index, self.cells(), self.leaders(), strict=True):
            bold = [f"**{c}**" if mark else c for c, mark in zip(cells, marks, strict=True)]
            lines.append(row([str(name), *bold]))
        lines += ["", f"*{self.note}*"]
        columns = "; ".join(f"{name}: {meaning}" for name, meaning in self.described().items())
        return "\n".join(lines + (["", f"Columns: {columns}."] if columns else [])) + "\n"

    def to_latex(self) -> str:
        """A booktabs table; the caption carries the rule."""
        lines = [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{escape_latex(self.title)} ({escape_latex(self.note)})}}",
            rf"  \begin{{tabular}}{{l{'r' * self.frame.shape[1]}}}",
            r"    \toprule",
            "    " + " & ".join(map(escape_latex, [self._corner(), *self.headings()])) + r" \\",
            r"    \midrule",
        ]
        for name, cells, marks in zip(self.frame.index, self.cells(), self.leaders(), strict=True):
            bold = [
                rf"\textbf{{{escape_latex(c)}}}" if mark else escape_latex(c)
                for c, mark in zip(cells, marks, strict=True)
            ]
            lines.append("    " + " & ".join([escape_latex(str(name)), *bold]) + r" \\")
        lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Full precision; the note stands in a column of its own, so that any reader takes it."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([self._corner() or "name", *map(str, self.frame.columns), "note"])
        for name, row in zip(self.frame.index, self.frame.itertuples(index=False), strict=True):
            writer.writerow([name, *(_plain(value) for value in row), self.note])
        return buffer.getvalue()

    def to_json(self) -> str:
        """{"title", "note", "columns": {name: meaning}, "rows": [{...}]}; NaN is null."""
        corner = self._corner() or "name"
        rows = [
            {corner: str(name), **{str(k): _plain(v) for k, v in zip(self.frame, row, strict=True)}}
            for name, row in zip(self.frame.index, self.frame.itertuples(index=False), strict=True)
        ]
        columns = {str(name): self._meaning(name) or str(name) for name in self.frame.columns}
        content = {"title": self.title, "note": self.note, "columns": columns, "rows": rows}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def to_csv(tables: Sequence[Table]) -> str:
    """One CSV of several tables, told apart by their title in the first column.

    A single one is as `Table.to_csv` writes it.
    """
    if len(tables) == 1:
        return tables[0].to_csv()
    columns = dict.fromkeys(str(name) for table in tables for name in table.frame.columns)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["table", "name", *columns, "note"])
    for table in tables:
        own = list(map(str, table.frame.columns))
        for name, row in zip(table.frame.index, table.frame.itertuples(index=False), strict=True):
            cells = dict(zip(own, map(_plain, row), strict=True))
            figures = [cells.get(column) for column in columns]
            writer.writerow([table.title, name, *figures, table.note])
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    """A Python value for CSV and JSON; None where there is no figure."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    # At the start of a row they would be the option or the star of the line break before it.
    **{character: f"{{{character}}}" for character in "[]*"},
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_LATEX.get(character, character) for character in text)


@contextmanager
def written(path: PathArgument) -> Iterator[Path]:
    """Yield a temporary path that becomes `path`; ResultsError where that cannot be written."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise ResultsError(
            f"cannot write {path}: {error.strerror or error}; choose another folder"
        ) from error


def write_text(path: PathArgument, text: str) -> None:
    """Write text as UTF-8 with "\\n" line ends on every system."""
    with written(path) as temporary:
        # Names of old archives' folders may be no UTF-8.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
