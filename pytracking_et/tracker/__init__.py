"""Trackers under pytracking's contract, one folder each."""
