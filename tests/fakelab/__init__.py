"""Plug-in package of the tests: a tracker that computes next to nothing (PYTRACKING_ET_PLUGINS)."""
