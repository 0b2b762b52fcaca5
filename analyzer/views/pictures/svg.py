"""Elements of SVG, made by the library of XML: text and attributes are escaped where they are written."""

from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from analyzer.views.escape import safe
from analyzer.views.pictures.colours import DARK, LIGHT, properties, shared_rules

SPACE = "http://www.w3.org/2000/svg"
CHARACTER = 6.62  # width of one of 11 px in a typeface of fixed width


def picture(width: float, height: float, label: str, described: str) -> Element:
    """An empty picture with its label and description for who does not see it."""
    made = Element("svg", {"xmlns": SPACE, "viewBox": f"0 0 {_number(width)} {_number(height)}", "class": "picture"})
    made.set("role", "img")
    made.set("aria-label", safe(label))
    SubElement(made, "desc").text = safe(described)
    return made


def add(parent: Element, tag: str, text: str = "", **attributes: Any) -> Element:
    """A further element; ``kind`` is its class, ``_`` in a name stands for ``-``."""
    made = SubElement(parent, tag)
    for name, value in attributes.items():
        if value is not None:
            key = "class" if name == "kind" else name.replace("_", "-")
            made.set(key, _number(value) if isinstance(value, int | float) else safe(str(value)))
    if text:
        made.text = "\n".join(map(safe, text.split("\n")))
    return made


def fitted(text: str, room: float) -> str:
    """``text``, shortened to what has room in so many pixels."""
    most = int(room / CHARACTER)
    return text if len(text) <= most else text[: max(most - 1, 0)] + "…"


def shared_definitions(parent: Element) -> None:
    """The hatches that all pictures use."""
    definitions = add(parent, "defs")
    for name, size, path in (("hatch", 6, "M-1 1L1 -1M0 6L6 0M5 7L7 5"), ("leak", 8, "M-2 2L2 -2M0 8L8 0M6 10L10 6")):
        pattern = add(definitions, "pattern", id=name, width=size, height=size, patternUnits="userSpaceOnUse")
        add(pattern, "path", d=path, kind="ink", stroke_width=1.1 if name == "hatch" else 2)


def alone(made: Element) -> str:
    """A picture as a file of its own: with its colours, light and dark, and its ground."""
    width, height = made.get("viewBox", "").split()[2:]
    made.set("width", width)
    made.set("height", height)
    style = Element("style")
    dark = f"@media(prefers-color-scheme:dark){{svg{{{properties(DARK)}}}}}"
    style.text = f"svg{{{properties(LIGHT)}}}{dark}{shared_rules()}"
    made.insert(0, style)
    ground = Element("rect", {"class": "ground", "width": width, "height": height})
    made.insert(2, ground)
    holder = Element("g")
    shared_definitions(holder)
    made.insert(1, holder[0])
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{markup(made)}\n'


def markup(made: Element) -> str:
    """The picture as text."""
    return tostring(made, encoding="unicode")


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
