"""LightTrack's one-shot architecture search: `python -m ltr_et.research.search`.

`space` (strings) -> `supernet` (all of them sharing weights) -> `train` (one random path a step)
-> `evolution` (the best string under a limit of multiply-adds). See docs/architecture-search.md.
"""
