"""From a network to the two graphs that engines run: folded, lowered, traced. Torch."""
