"""Images as they come from cameras, files and other libraries, brought to HxWx3 uint8.

What a file announces is checked before it is decoded: a few hundred bytes can stand for gigabytes.
"""

from __future__ import annotations

import io
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError

Color = Literal["rgb", "bgr"]
Image = NDArray[np.uint8]

# Twice the frame of an 8K video (7680 x 4320), 200 MB as RGB.
MAX_PIXELS = 8192 * 8192


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


def check_pixels(width: float, height: float, name: str) -> None:
    """Refuse a picture that would take too much memory; `name` says which it is.

    Raises:
        ImageError: more than MAX_PIXELS.
    """
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} announces {width:g}x{height:g} pixels, more than the {MAX_PIXELS} that are "
            "read; scale it down first"
        )


def check_encoded(data: bytes | NDArray[np.uint8], name: str) -> None:
    """`check_pixels` for an image file's bytes; what has no readable header is for the decoder.

    Raises:
        ImageError: more than MAX_PIXELS.
    """
    head = bytes(data[:24])
    if head.startswith(b"\xff\xd8"):
        size = jpeg_size(data)
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        size = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    else:
        size = _pillow_size(data)
    if size is not None:
        check_pixels(*size, name)


def jpeg_size(data: bytes | NDArray[np.uint8]) -> tuple[int, int] | None:
    """(width, height) from a JPEG's frame header (ITU T.81, section B.2.2); None without one."""
    place = 2
    while place + 9 <= len(data):
        # Decoders look for the next marker where there should be one; so may an attacker.
        if data[place] != 0xFF or data[place + 1] in (0x00, 0xFF):
            place += 1
            continue
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return (
                int.from_bytes(bytes(data[place + 7 : place + 9]), "big"),
                int.from_bytes(bytes(data[place + 5 : place + 7]), "big"),
            )
        if marker == 0x01 or 0xD0 <= marker <= 0xD9:  # these stand alone
            place += 2
        else:
            place += 2 + int.from_bytes(bytes(data[place + 2 : place + 4]), "big")
    return None


def _pillow_size(data: bytes | NDArray[np.uint8]) -> tuple[int, int] | None:
    from PIL import Image as pillow

    try:
        with pillow.open(io.BytesIO(data)) as image:  # type: ignore[arg-type]
            return image.size
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise ImageError(f"an image announces too many pixels: {error}") from error
    except Exception:
        # Pillow knows fewer formats than OpenCV, and its plug-ins fail in many ways: no header.
        return None


def check_color(color: str) -> Color:
    """Return `color` if it names a channel order.

    Raises:
        ParameterError: neither "rgb" nor "bgr".
    """
    if color == "rgb" or color == "bgr":
        return color  # type: ignore[return-value]
    from ..errors import ParameterError

    raise ParameterError(f"color is {color!r}; use 'rgb', or 'bgr' for frames that OpenCV read")
