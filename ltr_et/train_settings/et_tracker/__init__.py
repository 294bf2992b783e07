"""E.T.Track: `paper`, `distill` and `smoke`."""
