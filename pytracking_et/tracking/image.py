"""Images as they come from cameras, files and other libraries, brought to HxWx3 uint8."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, ParameterError

Color = Literal["rgb", "bgr"]
Image = NDArray[np.uint8]


def as_three_channels(image: Any) -> Image:
    """Bring an image to HxWx3 uint8, keeping its channel order.

    Grey (HxW or HxWx1) is repeated, a fourth (alpha) channel dropped, 16-bit values keep their
    upper byte. An image that already fits is returned as it is, not copied.

    Raises:
        ImageError: empty, another shape or another dtype.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(
            f"image is a {type(image).__name__}; give a numpy array (height, width, 3) of uint8. "
            "cv2.imread and VideoCapture.read return None at a missing file or the end of a video"
        )
    if image.size == 0:
        raise ImageError(f"image of shape {image.shape} is empty")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"image has shape {image.shape}; give (height, width), (height, width, 3) or "
            "(height, width, 4)"
        )
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise ImageError(
            f"image has dtype {image.dtype}; give uint8 (0..255) or uint16. Floats in 0..1: "
            "(image * 255).astype(numpy.uint8)"
        )
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return image[:, :, :3] if image.shape[2] == 4 else image


def check_color(color: str) -> Color:
    """Return `color` if it names a channel order.

    Raises:
        ParameterError: neither "rgb" nor "bgr".
    """
    if color == "rgb" or color == "bgr":
        return color  # type: ignore[return-value]
    raise ParameterError(f"color is {color!r}; use 'rgb', or 'bgr' for frames that OpenCV read")
