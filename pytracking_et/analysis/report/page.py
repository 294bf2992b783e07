"""HTML of the report: template, style and script are package data beside this module."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

import pandas as pd

from ...version import __version__
from ..comparison import Comparison
from ..tables import Table


def render(content: Mapping[str, Any], title: str | None = None) -> str:
    """The page as text; `content` comes from `content.build`."""
    data: Comparison = content["comparison"]
    tables: Mapping[str, Table] = content["tables"]
    folder = files(__package__)
    shown = title or f"{', '.join(data.labels[:3])}{' ...' if len(data.labels) > 3 else ''}"
    parts = {
        "title": escape(f"{shown} on {data.dataset}" if title is None else title),
        "style": (folder / "page.css").read_text(encoding="utf-8"),
        "script": (folder / "page.js").read_text(encoding="utf-8"),
        "note": escape(data.note),
        "facts": _facts(data),
        "summary": html_table(tables["summary"]),
        "tables": "".join(
            _section(name, tables[name])
            for name in ("published", "attributes", "speed")
            if name in tables
        ),
        "sequences": html_table(tables["sequences"], scroll=True),
        "manifests": _manifests(content["manifests"]),
        "version": escape(__version__),
        "data": _script_json(content["values"]),
    }
    template = (folder / "page.html").read_text(encoding="utf-8")
    # One pass, so that nothing inserted is taken for a placeholder.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _script_json(values: Any) -> str:
    """JSON that cannot end its <script> element, whatever a sequence is called."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _facts(data: Comparison) -> str:
    facts = {
        "Data set": data.dataset,
        "Sequences": f"{len(data.sequences):,}",
        "Frames": f"{int(data.frames.sum()):,}",
        "Rule": data.rule,
        "Trackers": str(len(data.labels)),
    }
    return "".join(f"<div><dt>{k}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())


def _section(name: str, table: Table) -> str:
    return (
        f'<section id="{name}"><h2>{escape(table.title)}</h2>'
        + ('<div id="speed-plot" class="plot wide"></div>' if name == "published" else "")
        + html_table(table, scroll=len(table.frame) > 20)
        + f'<p class="note">{escape(table.note)}</p></section>'
    )


def html_table(table: Table, scroll: bool = False) -> str:
    """A table whose headings sort it; figures carry their full value."""
    heads = [escape(str(table.frame.index.name or ""))]
    heads += [escape(heading) for heading in table.headings()]
    meanings = table.described()
    titles = ["", *(escape(meanings.get(name, ""), quote=True) for name in table.headings())]
    head = "".join(
        f'<th scope="col" title="{title}"><button type="button">{text}</button></th>'
        for text, title in zip(heads, titles, strict=True)
    )
    rows = []
    values = table.frame.itertuples(index=False)
    for name, cells, marks, row in zip(
        table.frame.index, table.cells(), table.leaders(), values, strict=True
    ):
        columns = "".join(
            f'<td data-v="{_sortable(value)}"{" class=best" if mark else ""}>{escape(cell)}</td>'
            for cell, mark, value in zip(cells, marks, row, strict=True)
        )
        own = ' class="own"' if str(name).endswith("(this run)") else ""
        rows.append(f'<tr{own}><th scope="row">{escape(str(name))}</th>{columns}</tr>')
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="table{" scroll" if scroll else ""}"><table>{body}</table></div>'


def _sortable(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"{float(value):.6g}"


def _manifests(manifests: Mapping[str, Mapping[str, Any] | None]) -> str:
    parts = []
    for label, manifest in manifests.items():
        if manifest is None:
            parts.append(
                f"<p><strong>{escape(label)}</strong>: no manifest.json beside its results</p>"
            )
            continue
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        parts.append(
            f"<details><summary>{escape(label)}</summary>{_overview(manifest)}"
            f"<details class=raw><summary>manifest.json</summary><pre>{escape(text)}</pre>"
            "</details></details>"
        )
    return "".join(parts)


def _overview(manifest: Mapping[str, Any], prefix: str = "") -> str:
    """Single values of the manifest, two levels deep; lists and the rest are in the raw text."""
    rows = list(_single(manifest, ""))
    cells = "".join(
        f"<tr><th scope=row>{escape(key)}</th><td>{escape(str(value))}</td></tr>"
        for key, value in rows[:60]
    )
    return f'<div class="table plain"><table><tbody>{cells}</tbody></table></div>'


def _single(values: Mapping[str, Any], prefix: str, depth: int = 0) -> Any:
    for key, value in values.items():
        # What is recorded of each sequence would bury the settings.
        if isinstance(value, Mapping):
            if depth < 2 and key != "sequences":
                yield from _single(value, f"{prefix}{key[:12]} / ", depth + 1)
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value
