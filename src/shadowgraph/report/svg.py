# pyright: reportUnknownMemberType=false
"""A drawn figure becomes inline SVG that a strict content security policy lets through.

Here live: the exchange of style attributes for presentation attributes and classes, prefixed ids, and rounding.
Not here: drawing. A policy without `unsafe-inline` drops every `style` attribute, so none may remain; a colour outside
the palette is a defect, because it would not follow the reader's light or dark mode.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from markupsafe import Markup

from shadowgraph.errors import Defect, printable
from shadowgraph.report.palette import BY_COLOUR

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KEPT = {
    "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap", "opacity", "fill-opacity",
    "stroke-opacity", "font-size", "font-weight", "font-style", "text-anchor",
}  # fmt: skip
_DEFAULT = {("stroke-linejoin", "miter"), ("stroke-dashoffset", "0"), ("font-weight", "400")}
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_STILL = re.compile(r"rotate\(-?0(?:\.0+)? [^)]*\)")


def inline(figure: Figure, key: str, title: str, description: str) -> Markup:
    """Render a figure to SVG markup for a page.

    Args:
        figure: a figure drawn inside `draw.drawing()`, with palette colours only.
        key: prefix of every id, unique on the page.
        title: accessible name.
        description: what the picture shows, in a sentence.

    Returns:
        An `<svg role="img">` element without style attributes, the same bytes for the same figure.

    Raises:
        Defect: when a colour is not in the palette.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(stream.getvalue())  # noqa: S314 - our own output, no entities
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        _present(element)
    _drop(root)
    _address(root, key)
    _flatten(root)
    box = root.attrib["viewBox"].split()
    root.attrib.clear()
    root.attrib |= {
        "class": "fig",
        "role": "img",
        "viewBox": " ".join(_short(number) for number in box),
        "width": _short(box[2]),
        "height": _short(box[3]),
        "aria-labelledby": f"{key}-t {key}-d",
    }
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        node = ElementTree.Element(tag, {"id": f"{key}-{tag[0]}"})
        node.text = printable(text, limit=2000)
        root.insert(position, node)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - serialised, therefore escaped


def _present(element: ElementTree.Element) -> None:
    """Turn one element's style into attributes and classes, and shorten its numbers."""
    classes: list[str] = []
    declarations = (part.partition(":") for part in element.attrib.pop("style", "").split(";"))
    for name, value in ((name.strip(), value.strip()) for name, _, value in declarations):
        if name in {"fill", "stroke"} and value != "none":
            role = BY_COLOUR.get(value)
            if role is None:
                raise Defect(f"the colour {value} of a figure is not in the palette", where="report/palette.py")
            classes.append(f"{name[0]}-{role}")
            element.set(name, value)
        elif name in {"fill", "stroke"} or (name in _KEPT and (name, value) not in _DEFAULT):
            element.set(name, value)
    if classes:
        element.set("class", " ".join(classes))
    for name in ("d", "x", "y", "width", "height", "points", "transform", "stroke-dasharray", "stroke-width"):
        if name in element.attrib:
            text = _NUMBER.sub(lambda found: _short(found.group()), " ".join(element.attrib[name].split()))
            element.set(name, _STILL.sub("", text).strip())
    if element.attrib.get("transform") == "":
        del element.attrib["transform"]
    if element.text is not None and not element.text.strip():
        element.text = None
    element.tail = None


def _short(number: str) -> str:
    """Two decimals at most: a hundredth of a pixel."""
    text = f"{float(number):.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _drop(root: ElementTree.Element) -> None:
    """Remove metadata and the style sheet matplotlib adds; the page's own sheet replaces it."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {"metadata", "style", "title"}:
                parent.remove(child)
    for child in list(root):
        if child.tag == "defs" and len(child) == 0:
            root.remove(child)


def _address(root: ElementTree.Element, key: str) -> None:
    """Prefix every referenced id and drop the others."""
    used: set[str] = set()
    for element in root.iter():
        for name in [name for name in element.attrib if name.endswith("}href")]:
            element.set("href", element.attrib.pop(name))
        target = element.attrib.get("href", "")
        if target.startswith("#"):
            used.add(target[1:])
            element.set("href", f"#{key}-{target[1:]}")
        clip = element.attrib.get("clip-path", "")
        if clip.startswith("url(#"):
            used.add(clip[5:-1])
            element.set("clip-path", f"url(#{key}-{clip[5:-1]})")
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", f"{key}-{name}")


def _flatten(element: ElementTree.Element) -> None:
    """Lift the children of groups that carry nothing."""
    children: list[ElementTree.Element] = []
    for child in list(element):
        _flatten(child)
        if child.tag == "g" and not child.attrib:
            children.extend(child)
        elif child.tag != "defs" or len(child):
            children.append(child)
    element[:] = children
