"""Settings: the same comparison under other models, optimisers or methods, each setting with draws of its own.

Here live: the table of a setting and what it changes of the model and of training.
Not here: which draws fall to it and what is tested over settings (`study`).
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from shadowgraph.spec.material import AdapterTable, ModelTable, Training
from shadowgraph.spec.table import Count, Name, Positive, Table, put_over


class ModelChange(Table):
    """What a setting changes of the model table; the vocabulary stays, and so do the documents."""

    family: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None
    hidden: Count | None = None
    intermediate: Count | None = None
    layers: Count | None = None
    heads: Count | None = None
    key_value_heads: Count | None = None
    settings: dict[str, bool | int | float | str] | None = None


class TrainingChange(Table):
    """What a setting changes of training; steps, batch and length of sequences stay, so that tokens do."""

    LATER = frozenset({"anchor", "flatten"})

    learning_rate: Positive | None = None
    base_learning_rate: Positive | None = None
    weight_decay: Annotated[float, Field(ge=0.0)] | None = None
    optimiser: str | None = None
    adapter: AdapterTable | None = None
    anchor: Annotated[float, Field(ge=0.0)] | None = None
    flatten: Annotated[float, Field(ge=0.0)] | None = None


class Setting(Table):
    """One setting: every n-th draw of a study of n settings is of it.

    Attributes:
        name: its name.
        held_out: its runs take no part in the tests of the plan; they are held against them in the end.
        model: what it changes of the model. Settings whose models are trained alike start from one base.
        training: what it changes of training.
    """

    name: Name
    held_out: bool = False
    model: ModelChange = ModelChange()
    training: TrainingChange = TrainingChange()

    @model_validator(mode="after")
    def _name_is_free(self) -> Self:
        if self.name.isdigit() or self.name in {"run", "base"}:
            raise ValueError(f"a setting cannot be called {self.name!r}")
        return self

    def of_model(self, model: ModelTable) -> ModelTable:
        """The model table under this setting.

        Raises:
            pydantic.ValidationError: the changed table contradicts itself.
        """
        return ModelTable.model_validate(put_over(model, self.model))

    def of_training(self, training: Training) -> Training:
        """The training table under this setting.

        Raises:
            pydantic.ValidationError: the changed table contradicts itself.
        """
        return Training.model_validate(put_over(training, self.training))

    def require_whole(self, model: ModelTable, training: Training) -> None:
        """Raise ValueError, naming the setting and the key, when a changed table contradicts itself."""
        for key, make in (("model", lambda: self.of_model(model)), ("training", lambda: self.of_training(training))):
            try:
                make()
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join([self.name, key, *(str(part) for part in first["loc"])])
                raise ValueError(f"settings.{where}: {first['msg']}") from error
