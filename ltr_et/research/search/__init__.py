"""LightTrack's one-shot architecture search: `python -m ltr_et.research.search`.

`space`: strings, and their evolution under a limit of multiply-adds; `supernet`: all of them
sharing weights, trained by one random path a step. See docs/architecture-search.md.
"""
