"""Training data sets in their official layouts, and the training pack's."""

from .base import BaseDataset, SequenceInfo
from .coco import Coco
from .folder import FolderDataset
from .got10k import Got10k
from .lasot import Lasot
from .pack import PackStill, PackVideo, TinyImageNet, open_pack
from .trackingnet import TrackingNet

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
