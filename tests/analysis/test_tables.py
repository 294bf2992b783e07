"""Golden formats of tables."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

from pytracking_et.analysis.tables import Table, escape_latex, to_csv, write_text
from pytracking_et.errors import ParameterError, ResultsError

FRAME = pd.DataFrame(
    {"auc": [67.834, 66.2], "op75": [np.nan, 50.0], "frames": [10, 20]},
    index=pd.Index(["E.T.Track", "a_b|c"], name="tracker"),
)
TABLE = Table(FRAME, "Results on otb", "rule pytracking: x > 0")

GOLDEN = {
    "text": """\
Results on otb
tracker      AUC   OP75  Frames
-------------------------------
E.T.Track  67.83      -      10
a_b|c      66.20  50.00      20
(rule pytracking: x > 0)
""",
    "md": """\
**Results on otb**

| tracker | AUC | OP75 | Frames |
|---|---:|---:|---:|
| E.T.Track | **67.83** | - | 10 |
| a_b\\|c | 66.20 | **50.00** | 20 |

*rule pytracking: x > 0*

Columns: AUC: mean of the success curve over 21 overlap thresholds, %; \
OP75: frames with IoU > 0.75, %; Frames: frames of the sequence.
""",
    "latex": r"""\begin{table}
  \centering
  \caption{Results on otb (rule pytracking: x $>$ 0)}
  \begin{tabular}{lrrr}
    \toprule
    tracker & AUC & OP75 & Frames \\
    \midrule
    E.T.Track & \textbf{67.83} & - & 10 \\
    a\_b|c & 66.20 & \textbf{50.00} & 20 \\
    \bottomrule
  \end{tabular}
\end{table}
""",
    "csv": """\
tracker,auc,op75,frames,note
E.T.Track,67.834,,10,rule pytracking: x > 0
a_b|c,66.2,50.0,20,rule pytracking: x > 0
""",
}


@pytest.mark.parametrize("form", list(GOLDEN))
def test_golden(form):
    assert TABLE.render(form) == GOLDEN[form]


def test_json():
    content = json.loads(TABLE.render("json"))
    assert content["title"] == "Results on otb"
    assert content["note"] == "rule pytracking: x > 0"
    assert content["rows"][0] == {"tracker": "E.T.Track", "auc": 67.834, "op75": None, "frames": 10}
    assert set(content["columns"]) == {"auc", "op75", "frames"}


def test_ties_share_the_mark():
    frame = pd.DataFrame({"auc": [50.001, 50.004, 49.0]}, index=["a", "b", "c"])
    assert Table(frame, "t", "n").leaders() == [[True], [True], [False]]


def test_a_single_row_has_no_best():
    assert Table(FRAME.iloc[:1], "t", "n").leaders() == [[False] * 3]


def test_write(tmp_path):
    TABLE.write(tmp_path / "t.md", "md")
    assert (tmp_path / "t.md").read_text(encoding="utf-8") == GOLDEN["md"]


def test_unknown_format():
    with pytest.raises(ParameterError, match="'xls'.*text, md, latex, csv, json"):
        TABLE.render("xls")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % & #1_a", r"50 \% \& \#1\_a"),
        ("[2] *", "{[}2{]} {*}"),
        ("a\\b~", r"a\textbackslash{}b\textasciitilde{}"),
    ],
)
def test_escape_latex(text, expected):
    assert escape_latex(text) == expected


def test_one_csv_of_several_tables():
    speed = Table(pd.DataFrame({"fps": [9.5]}, index=["a,b"]), "Speed", "note, of speed")
    rows = list(csv.DictReader(io.StringIO(to_csv([TABLE, speed]))))
    assert list(rows[0])[:2] == ["table", "name"]
    assert [row["table"] for row in rows] == [TABLE.title] * len(TABLE.frame) + ["Speed"]
    assert (rows[-1]["name"], rows[-1]["fps"], rows[-1]["note"]) == ("a,b", "9.5", "note, of speed")
    assert rows[0]["fps"] == ""
    assert to_csv([TABLE]) == TABLE.to_csv()


def test_names_that_are_no_utf_8_are_written(tmp_path):
    write_text(tmp_path / "a.md", "caf\udce9")
    assert (tmp_path / "a.md").read_bytes() == b"caf\\udce9"


def test_line_ends(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "ä\n1\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "ä\n1\n".encode()


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(ResultsError, match=r"cannot write .*b.txt.*choose another folder"):
        write_text(tmp_path / "a" / "b.txt", "x")


def test_robustness_is_better_the_higher_it_is():
    """As `score_from_start` gives it; a share of losses would be the contrary."""
    meaning = Table(pd.DataFrame({"robustness": [1.0]}), "t", "n").described()["Robustness"]
    assert meaning.startswith("share of frames before the failure")
