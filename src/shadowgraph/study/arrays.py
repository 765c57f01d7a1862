"""What jobs of a study read and write: its frozen specification and its arrays.

Here live: three small readers and writers shared by the job files.
Not here: where files lie (`layout`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shadowgraph.artifact import read_object, whole
from shadowgraph.errors import DataError
from shadowgraph.spec.study import StudySpec


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array atomically as `.npy`."""
    with whole(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def load_array(path: Path) -> NDArray[Any]:
    """Read an array written by `save_array`; objects are refused."""
    return np.load(path, allow_pickle=False)


def read_spec(root: Path) -> StudySpec:
    """The frozen specification of a study folder.

    Raises:
        DataError: the folder holds no plan.
    """
    frozen = read_object(root / "plan.json")
    if "spec" not in frozen:
        raise DataError("not a plan", where=str(root / "plan.json"))
    return StudySpec.model_validate(frozen["spec"])
