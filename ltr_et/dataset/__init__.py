"""Training data sets in their official layouts, and the training pack's."""
