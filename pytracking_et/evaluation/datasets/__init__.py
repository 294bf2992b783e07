"""The benchmarks by name, and any folder of frames with a box file by its path."""

from .attributes import get_dataset_attributes
from .registry import dataset_names, get_dataset, load_dataset

__all__ = ["dataset_names", "get_dataset", "get_dataset_attributes", "load_dataset"]
