from __future__ import annotations

import numpy as np
import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.tracking.parameters import Parameters


def test_defaults_are_the_published_constants():
    assert Parameters() == Parameters(
        template_size=127,
        search_size=256,
        small_search_size=288,
        sure_shrink=0,
        small_target=0.004,
        context=0.5,
        penalty_k=0.007,
        window_influence=0.225,
        lr=0.616,
        size_smoothing="twice",
        anchor="state",
        minimum_size=10,
        hold_below=0,
        association=False,
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size_smoothing": "thrice"}, "thrice"),
        ({"anchor": "middle"}, "anchor is 'middle'"),
        ({"template_size": 100}, "127 or 128"),
        ({"search_size": 250}, "search_size is 250"),
        ({"search_size": 256.0}, "search_size is 256.0; it must be a whole number"),
        ({"template_size": 127.0}, "template_size is 127.0; it must be a whole number"),
        ({"penalty_k": np.float32("inf")}, "it must be a finite number"),
        ({"minimum_size": 10**400}, "it must be a finite number"),
        ({"window_influence": 1.5}, "window_influence is 1.5"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"lr": "0.5"}, "lr is '0.5'; it must be a finite number"),
        ({"context": None}, "context is None"),
        ({"minimum_size": float("inf")}, "minimum_size is inf"),
        ({"search_size": [256]}, "search_size is"),
        ({"sure_shrink": 16}, "sure_shrink is 16; use a multiple of 32"),
        ({"sure_shrink": 160}, "leaves 128"),
        ({"association": "yes"}, "association is 'yes'; use True or False"),
        ({"penalty_k": -1}, "penalty_k is -1"),
        ({"window_influense": 0.2}, "did you mean 'window_influence'"),
        ({"zzz": 0.2}, "unknown tracking parameter 'zzz'; one of"),
    ],
)
def test_bad_values_are_quoted(fields, words):
    with pytest.raises(ParameterError, match=words):
        Parameters.from_fields(fields)
