"""Every colour of the pages, by role, for light and dark.

Here live: the palette, the style of each arm (colour, marker, dash) and the CSS that carries them.
Not here: layout. Colours are told apart under protanopia and deuteranopia (after Okabe & Ito 2008); markers and dashes
say the same a second time. A figure is drawn in the light colours; each colour is exchanged for a class on the way out.
"""

from __future__ import annotations

from dataclasses import dataclass

# role -> (light, dark). Light values are unique: they are the keys by which a drawn figure is turned into classes.
_BASIC: dict[str, tuple[str, str]] = {
    "paper": ("#fdfcf8", "#15171a"),
    "ink": ("#1b1d20", "#e6e4de"),
    "muted": ("#5c6067", "#a4a8af"),
    "axis": ("#8d9096", "#73777e"),
    "grid": ("#e6e3db", "#2b2e33"),
    "gap": ("#d9d6ce", "#3a3d42"),
    "band": ("#ebe8df", "#24272c"),
    "null": ("#7a7d83", "#9094a0"),
    "on": ("#fffffe", "#101113"),
    "a0": ("#c2490f", "#ff9d66"),
    "a1": ("#0f68ae", "#6fb8f5"),
    "a2": ("#0b8a63", "#4fd1a1"),
    "a3": ("#b45a94", "#f0a6d4"),
    "a4": ("#8a6a00", "#e0bf4d"),
    "a5": ("#2c8fa6", "#7fdcee"),
    "a6": ("#54595f", "#c4c8cf"),
    "a7": ("#7a3fb0", "#c79bf5"),
}
_DIVERGING = (
    ("#134f86", "#3971a5", "#5c94c4", "#89b5d9", "#bfd3e2", "#f4f1ea", "#f2cfb9", "#edac87", "#dc875c", "#b55730",
     "#a33a10"),
    ("#8cc8ff", "#6da7de", "#3a6793", "#365c82", "#2f4356", "#26282c", "#573a2f", "#83472d", "#99512c", "#df8d62",
     "#ffb084"),
)  # fmt: skip
_SEQUENTIAL = (
    ("#f3f1eb", "#dddae3", "#c7c2db", "#afa9d0", "#938abf", "#786cae", "#5f5295", "#483a7a", "#33235f"),
    ("#222328", "#302f42", "#3f3c5d", "#524b7a", "#665d93", "#8378b7", "#a196d1", "#c2b9e8", "#e4dcff"),
)
DIVERGING = len(_DIVERGING[0])
SEQUENTIAL = len(_SEQUENTIAL[0])
ROLES: dict[str, tuple[str, str]] = {
    **_BASIC,
    **{f"d{step}": pair for step, pair in enumerate(zip(*_DIVERGING, strict=True))},
    **{f"q{step}": pair for step, pair in enumerate(zip(*_SEQUENTIAL, strict=True))},
}
BY_COLOUR = {light: role for role, (light, _) in ROLES.items()}

ARM_COLOURS = 8
_MARKERS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"), ("P", "✚"), ("X", "✖"), ("*", "★"))
_DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (6, 2),
    (2, 1.6),
    (7, 2, 1.6, 2),
    (4, 1.4),
    (9, 3),
    (1.2, 2.4),
    (5, 1, 1, 1),
)


@dataclass(frozen=True, slots=True)
class ArmStyle:
    """How one arm looks in every figure, legend and table."""

    role: str
    marker: str
    glyph: str
    dash: tuple[float, ...]

    @property
    def colour(self) -> str:
        """The light colour to draw with."""
        return ROLES[self.role][0]


def light(role: str) -> str:
    """The colour to draw a role with."""
    return ROLES[role][0]


def arm_style(position: int) -> ArmStyle:
    """The style of the arm at a position in the result; it repeats after eight arms."""
    step = position % ARM_COLOURS
    marker, glyph = _MARKERS[step]
    return ArmStyle(f"a{step}", marker, glyph, _DASHES[step])


def stylesheet() -> str:
    """CSS custom properties for both modes and the classes that figures and legends use."""
    bright = "".join(f"--{role}:{pair[0]};" for role, pair in ROLES.items())
    dark = "".join(f"--{role}:{pair[1]};" for role, pair in ROLES.items())
    fills = "".join(f".f-{role}{{fill:var(--{role})}}" for role in ROLES)
    strokes = "".join(f".s-{role}{{stroke:var(--{role})}}" for role in ROLES)
    texts = "".join(f".c-a{step}{{color:var(--a{step})}}" for step in range(ARM_COLOURS))
    return (
        f":root{{color-scheme:light dark;{bright}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f"{fills}\n{strokes}\n{texts}\n"
    )
