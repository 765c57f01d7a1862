"""What jobs of a study read and write: its frozen specification and its arrays.

Here live: small readers and writers shared by the job files.
Not here: where files lie (`layout`).
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
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


def map_array(path: Path) -> NDArray[Any]:
    """The same, left on disk and read where it is touched."""
    return np.load(path, mmap_mode="r", allow_pickle=False)


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays atomically as `.npz`; any name will do, and equal arrays give equal bytes."""
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def read_spec(root: Path) -> StudySpec:
    """The frozen specification of a study folder.

    Raises:
        DataError: the folder holds no plan.
    """
    frozen = read_object(root / "plan.json")
    if "spec" not in frozen:
        raise DataError("not a plan", where=str(root / "plan.json"))
    return StudySpec.model_validate(frozen["spec"])
