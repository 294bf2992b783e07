from __future__ import annotations

import json

import pytest

from ltr_et.research.ablation import scaling
from ltr_et.research.ablation.scaling import Curve, exponent, measure
from pytracking_et.errors import ParameterError


def test_exponent_of_a_power_law():
    sides = [16, 32, 64]
    assert exponent(sides, [3 * side**2 for side in sides]) == pytest.approx(1)
    assert exponent(sides, [7 * side**4 for side in sides]) == pytest.approx(2)


@pytest.mark.parametrize(
    ("module", "low", "high"),
    [
        *((name, 0.95, 1.01) for name in ("Conv", "Linear", "Local", "Swin", "Exemplar")),
        # Projections pull towards 1; the mixing alone is 2.
        ("Standard", 1.3, 2.0),
    ],
)
def test_multiply_adds_follow_theory(module, low, high):
    curve = measure(module, [32, 16], repeats=1)
    assert curve.sides == (16, 32)
    assert low < curve.macs_exponent < high
    assert min(curve.seconds) > 0


@pytest.mark.parametrize(
    ("sides", "repeats"), [([16], 1), ([16, 16], 1), ([2, 8], 1), ([8, 16], 0)]
)
def test_what_cannot_be_fitted_is_refused(sides, repeats):
    with pytest.raises(ParameterError, match=r"sides \["):
        measure("Conv", sides, repeats)


def test_files(tmp_path, monkeypatch):
    def fake(module: str, sides, repeats: int) -> Curve:
        times = tuple(1e-3 * side**2 for side in sides)
        macs = tuple(side**2 for side in sides)
        theory = scaling.MODULES[module][1]
        return Curve(module, theory, "", tuple(sides), times, macs, 1.0, 1.0, 1.0, 1.0)

    monkeypatch.setattr(scaling, "measure", fake)
    assert scaling.run([8, 16], 1, 1, tmp_path, "ablation scaling") == 0
    content = json.loads((tmp_path / "scaling.json").read_text())
    assert [curve["module"] for curve in content["curves"]] == list(scaling.MODULES)
    text = (tmp_path / "scaling.md").read_text()
    assert "| Exemplar | 1.00 |" in text
    assert "ablation scaling" in text
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
