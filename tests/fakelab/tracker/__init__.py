"""Trackers of the tests."""
