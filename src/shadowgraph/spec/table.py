"""What every table of a specification is made of.

Here live: the strict table, one table put over another, and the types their keys share.
Not here: any file (`study`, `corpus`), reading (`source`).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Sentence = Annotated[str, StringConstraints(min_length=10, max_length=400)]
Files = Annotated[tuple[Key, ...], Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class Table(BaseModel):
    """A table of a specification: immutable, unknown keys refused.

    Keys in `LATER` joined after the first release of the table; at their default they are not written, so that the
    identity of a file that does not use them stays what it was.
    """

    LATER: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        for key in self.LATER & written.keys():
            field = type(self).model_fields[key]
            if getattr(self, key) == field.get_default(call_default_factory=True):
                del written[key]
        return written


def put_over(table: Table, change: Table) -> dict[str, Any]:
    """The keys of a table, those that a change names put over them."""
    return {**table.model_dump(), **change.model_dump(exclude_none=True)}
