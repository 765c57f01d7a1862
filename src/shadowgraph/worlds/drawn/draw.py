"""A scene in a dress becomes a picture.

Here live: the one call that draws, whatever the scene.
Not here: how each kind is drawn (`charts`, `marks`).
"""

from __future__ import annotations

from PIL import Image

from shadowgraph.worlds.drawn.canvas import Sheet, png
from shadowgraph.worlds.drawn.charts import draw_chart
from shadowgraph.worlds.drawn.marks import draw_digits, draw_listing, draw_shapes
from shadowgraph.worlds.drawn.scene import Chart, Dress, Listing, Scene, Shapes


def draw(scene: Scene, dress: Dress | None = None) -> Image.Image:
    """Draw a scene as a square RGB picture; equal arguments give equal pixels.

    Raises:
        EnvironmentFault: when fonts or scans are missing.
    """
    dress = dress or Dress()
    sheet = Sheet(dress)
    if isinstance(scene, Chart):
        draw_chart(sheet, scene)
        lies = (scene.form == "bars") != dress.other_form
        return sheet.image.transpose(Image.Transpose.ROTATE_90) if dress.turned and not lies else sheet.image
    if isinstance(scene, Shapes):
        draw_shapes(sheet, scene)
    elif isinstance(scene, Listing):
        draw_listing(sheet, scene)
    else:
        draw_digits(sheet, scene)
    return sheet.image.transpose(Image.Transpose.ROTATE_90) if dress.turned else sheet.image


def draw_png(scene: Scene, dress: Dress | None = None) -> bytes:
    """Draw a scene and encode it as PNG.

    Raises:
        EnvironmentFault: as `draw`.
    """
    return png(draw(scene, dress))
