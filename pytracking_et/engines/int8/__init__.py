"""Precision int8: ranges of activations, and graphs quantised with them."""
