"""Experiment files: functions that return (trackers, dataset); see `myexperiments`."""
