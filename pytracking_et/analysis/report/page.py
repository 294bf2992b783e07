"""HTML of the report: template, style and script are package data beside this module."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import pandas as pd

from ...version import __version__
from ..comparison import Comparison
from ..tables import Table


def render(content: Mapping[str, Any], title: str | None = None) -> str:
    """The page as text; `content` is of `build`, in the package."""
    data: Comparison = content["comparison"]
    tables: Mapping[str, Table] = content["tables"]
    folder = files(__package__)
    shown = title or f"{', '.join(data.labels[:3])}{' ...' if len(data.labels) > 3 else ''}"
    parts = {
        "title": escape(f"{shown} on {data.dataset}" if title is None else title),
        "style": (folder / "page.css").read_text(encoding="utf-8"),
        "script": (folder / "page.js").read_text(encoding="utf-8"),
        "note": escape(data.note),
        "first": escape(content["values"]["first"]),
        "facts": _facts(data),
        "summary": html_table(tables["summary"]),
        "tables": "".join(
            _section(name, tables[name], plot=content["values"]["speed"] is not None)
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


def _section(name: str, table: Table, plot: bool) -> str:
    return (
        f'<section id="{name}"><h2>{escape(table.title)}</h2>'
        + ('<div id="speed-plot" class="plot wide"></div>' if plot and name == "published" else "")
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
        name = f"<strong>{escape(label)}</strong>"
        if manifest is None:
            parts.append(f"<p>{name}: no manifest.json beside its results</p>")
            continue
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        words = "".join(f"<p>{name}: {escape(one)}</p>" for one in in_words(manifest))
        parts.append(
            f"{words}<details><summary>{escape(label)}: all settings</summary>"
            f"{_overview(manifest)}<details class=raw><summary>manifest.json</summary>"
            f"<pre>{escape(text)}</pre></details></details>"
        )
    return "".join(parts)


def in_words(manifest: Mapping[str, Any]) -> list[str]:
    """How the sequences were tracked: a paragraph for each of the settings that any is of.

    A manifest of somebody else may lack anything: what is not there is not said.
    """
    made: dict[str, list[Mapping[str, Any]]] = {}
    for entry in _mapping(manifest.get("sequences")).values():
        made.setdefault(str(_mapping(entry).get("fingerprint")), []).append(_mapping(entry))
    every = _mapping(manifest.get("settings"))
    used = {key: value for key, value in every.items() if key in made} or dict(every)
    return [text for key, one in used.items() if (text := _told(_mapping(one), made.get(key, [])))]


def _processes(given: Any) -> str:
    if isinstance(given, str):  # an address, in manifests of before
        return "on a cluster"
    return f"{given} processes at a time" if given else ""


def _processor(machine: Mapping[str, Any]) -> str:
    cpu = machine.get("cpu")
    return f"on {cpu} with {machine.get('cores', '?')} cores" if cpu else ""


def _elsewhere(given: Any) -> str:
    part = _mapping(given)
    cpu = _processor(_mapping(part.get("machine")))
    said = [one for one in (cpu, _processes(part.get("processes"))) if one]
    return f"a part of it earlier {', '.join(said)}" if said else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _told(settings: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    sets = sorted({str(one["dataset"]) for one in entries if one.get("dataset")})
    frames, seconds = (
        sum(_number(one.get(key)) for one in entries) for key in ("frames", "seconds")
    )
    weights, machine = _mapping(settings.get("weights")), _mapping(settings.get("machine"))
    versions, failed = _mapping(settings.get("versions")), _mapping(settings.get("failed"))
    engine = " ".join(str(settings[k]) for k in ("engine", "precision") if settings.get(k))
    revision, _, dirty = str(settings.get("git_revision") or "").partition("-")
    library = {"onnx": "onnxruntime"}.get(name := str(settings.get("engine")), name)
    used = [f"{name} {versions[name]}" for name in (library, "python") if versions.get(name)]
    said = [
        sets and f"{_sequences(len(entries))} of {', '.join(sets)}, {frames:,.0f} frames",
        engine and f"tracked with {engine}",
        weights.get("file")
        and f"weights {weights['file']} (sha256 {str(weights.get('sha256'))[:12]})",
        machine.get("cpu") and f"{_processor(machine)}, {machine.get('system')}",
        versions.get("pytracking_et") and f"by pytracking-et {versions['pytracking_et']}",
        revision
        and f"revision {revision[:10]}{' with changes that are not committed' if dirty else ''}",
        ", ".join(used),
        _processes(settings.get("processes")),
        *map(_elsewhere, _list(settings.get("earlier"))),
        settings.get("started") and f"started {str(settings['started'])[:16].replace('T', ' ')}",
        seconds and f"{seconds:,.0f} s of tracking",
        _number(settings.get("wall_seconds"))
        and f"{settings['wall_seconds']:,.0f} s by the clock, with all trackers of the run",
        failed and f"{_sequences(len(failed))} failed: {', '.join(map(str, failed))}",
    ]
    text = "; ".join(str(one) for one in said if one)
    return f"{text}." if text else ""


def _sequences(count: int) -> str:
    return f"{count} sequence{'' if count == 1 else 's'}"


def _number(value: Any) -> float:
    return value if isinstance(value, (int, float)) else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _overview(manifest: Mapping[str, Any]) -> str:
    """Single values of the manifest, three levels deep; lists and the rest are in the raw text."""
    settings = list(_mapping(manifest.get("settings")).values())
    # One set of settings needs no fingerprint before each of its rows.
    lone = settings[0] if len(settings) == 1 and isinstance(settings[0], Mapping) else {}
    shown = {key: value for key, value in manifest.items() if not (lone and key == "settings")}
    rows = [*_single(shown, ""), *_single(lone, "")]
    cells = "".join(
        f"<tr><th scope=row>{escape(key)}</th><td>{escape(str(value))}</td></tr>"
        for key, value in rows[:120]
    )
    return f'<div class="table plain"><table><tbody>{cells}</tbody></table></div>'


def _single(values: Mapping[str, Any], prefix: str, depth: int = 0) -> Any:
    for key, value in values.items():
        # What is recorded of each sequence would bury the settings.
        if isinstance(value, Mapping):
            if depth < 3 and key != "sequences":
                yield from _single(value, f"{prefix}{key[:12]} / ", depth + 1)
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value
