"""Parameter files of the tracker `et_tracker`; each has a function `parameters()`."""
