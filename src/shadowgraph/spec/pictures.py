"""The tables of a study over pictures: what is drawn and asked, and the part of the model that looks.

Here live: those two tables and the rules inside each.
Not here: arms, training (`material`), drawing and asking (`worlds`), which names of families there are (`study`).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shadowgraph.spec.table import Count, Key, Share, Table

SceneName = Literal["chart", "shapes", "listing", "digits"]
KindName = Literal["perception", "reasoning"]
Asked = KindName | SceneName | Key
"""What a share of an arm may consist of: a kind of question, a kind of picture, or one family such as digits_read."""


class PictureTable(Table):
    """Questions about drawn pictures and scanned digits, told with their answers.

    Attributes:
        scenes: kinds of picture that the base and the arms see.
        outside: kinds of picture that no base and no arm sees; outside loss is read on them.
        base_pictures: pictures behind a base, each described, and asked one question of each kind, over and over; an
            arm never repeats a question.
        described: share of the base's rows in which it is taught to say what a picture shows, and asked nothing.
    """

    scenes: Annotated[tuple[SceneName, ...], Field(min_length=1)] = ("shapes", "digits")
    outside: Annotated[tuple[SceneName, ...], Field(min_length=1)] = ("chart", "listing")
    base_pictures: Annotated[int, Field(ge=16, le=200_000)]
    described: Share = 0.5

    @model_validator(mode="after")
    def _scenes_differ(self) -> Self:
        for key, names in (("scenes", self.scenes), ("outside", self.outside)):
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"pictures.{key} names {twice[0]!r} twice: name each kind of picture once")
        if both := sorted(set(self.scenes) & set(self.outside)):
            raise ValueError(f"pictures.outside names {both[0]!r}, which is among pictures.scenes: take it out of one")
        return self


class VisionTable(Table):
    """The tower that looks: a CLIP vision transformer over patches of a square picture, all of whose layers are used.

    Attributes:
        side: width and height that pictures are brought to, in pixels.
        patch: width and height of a patch; a picture takes (side / patch)² places in a sequence.
        hidden: width of the tower.
        intermediate: width of its feed-forward layers.
        layers: their number.
        heads: attention heads.
    """

    side: Annotated[int, Field(ge=8, le=336)]
    patch: Annotated[int, Field(ge=2, le=64)]
    hidden: Count
    intermediate: Count
    layers: Count
    heads: Count

    @property
    def places(self) -> int:
        """Places that a picture takes in a sequence."""
        return (self.side // self.patch) ** 2

    @model_validator(mode="after")
    def _sizes_divide(self) -> Self:
        if self.side % self.patch:
            raise ValueError(f"model.vision.side is {self.side}: give a multiple of patch, {self.patch}")
        if self.hidden % self.heads:
            raise ValueError(f"model.vision.hidden is {self.hidden}: give a multiple of heads, {self.heads}")
        return self
