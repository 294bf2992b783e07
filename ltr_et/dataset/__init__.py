"""Training data sets in their official layouts, and the training pack's."""

from .base import BaseDataset, SequenceInfo
from .official import Coco, Got10k, Lasot, TrackingNet
from .pack import FolderDataset, PackStill, PackVideo, TinyImageNet, open_pack

__all__ = [
    "BaseDataset",
    "Coco",
    "FolderDataset",
    "Got10k",
    "Lasot",
    "PackStill",
    "PackVideo",
    "SequenceInfo",
    "TinyImageNet",
    "TrackingNet",
    "open_pack",
]
