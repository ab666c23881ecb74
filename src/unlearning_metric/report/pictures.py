"""The forget examples' pictures, as elements of the page that hold them."""

from __future__ import annotations

import base64
import io

import numpy as np
from markupsafe import Markup

from unlearning_metric.leaderboard.escape import as_html
from unlearning_metric.report.gather import Findings

#: Largest height and width of an example's picture, in pixels.
PICTURE_SIDE = 96


def pictures(found: Findings) -> dict[int, str]:
    """Example -> address of its picture, of the examples that may be attacked."""
    shown = found.methods[0].samples["example"].to_numpy()[found.laws.places].tolist()
    return {index: picture_address(found.images[index]) for index in shown if index in found.images}


def picture_of(index: int, label: int, found: Findings) -> Markup | str:
    """The picture of an example, nothing where the data are no images."""
    return picture(found.images[index], index, found.class_text(label)) if index in found.images else ""


def picture(image: np.ndarray, index: int, label: str) -> Markup:
    """An image uint8 [height, width, channels] as an element that holds it, with a text alternative."""
    text = f"forget example {int(index)}, label {as_html(label)}"
    return Markup(f'<img class="picture" src="{picture_address(image)}" alt="{text}">')


def picture_address(image: np.ndarray) -> str:
    """An image uint8 [height, width, channels] as an address that holds it.

    One larger than `PICTURE_SIDE` is made smaller: the page shows a stamp, and has to stay small.
    """
    from PIL import Image

    pixels = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., :3]
    if image.shape[2] == 2:
        pixels = np.concatenate([image, np.zeros_like(image[..., :1])], axis=2)
    shown = Image.fromarray(np.ascontiguousarray(pixels))
    shown.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    buffer = io.BytesIO()
    shown.save(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
