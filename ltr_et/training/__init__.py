"""Trainer, checkpoints, processes, log and curves."""
