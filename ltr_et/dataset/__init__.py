"""Training data sets in their official layouts."""
