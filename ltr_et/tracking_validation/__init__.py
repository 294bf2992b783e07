"""Choose weights and constants by tracking: one table of many clips, with its uncertainty.

`clips` says what is tracked, `subjects` by whom, `measure` does it once and remembers, `table`
turns it into means, intervals and differences.
"""
