"""The fault list as one generator: every row gives (id, path, exit code, words the message must hold).

Here live: the list of all rows and where each is tested that is not made here. Not here: makers, assertions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bad_adapters import ADAPTER_CASES
from bad_archives import ARCHIVE_CASES
from bad_folders import FOLDER_CASES
from bad_gguf import GGUF_CASES
from bad_headers import HEADER_CASES
from bad_layouts import LAYOUT_CASES
from bad_onnx import ONNX_CASES
from bad_packed import PACKED_CASES
from bad_pairs import PAIR_CASES
from bad_values import VALUE_CASES
from badcase import Case

CASES: tuple[Case, ...] = (
    *HEADER_CASES,
    *VALUE_CASES,
    *FOLDER_CASES,
    *ADAPTER_CASES,
    *LAYOUT_CASES,
    *PAIR_CASES,
    *ONNX_CASES,
    *GGUF_CASES,
    *PACKED_CASES,
    *ARCHIVE_CASES,
)
ROWS = (
    *(f"ST{number:02d}" for number in range(1, 38)),
    *(f"VA{number:02d}" for number in range(1, 15)),
    *(f"DI{number:02d}" for number in range(1, 23)),
    *(f"ON{number:02d}" for number in range(1, 19)),
    *(f"GG{number:02d}" for number in range(1, 17)),
    *(f"PK{number:02d}" for number in range(1, 10)),
)
# Rows that no bad file of this room can show, and why.
NOT_MADE = {
    "ST29": "nothing is written as CSV",
    "VA12": "a decomposition that does not converge belongs to the spectra",
}


def bad_inputs(folder: Path) -> Iterator[tuple[str, Path, int, tuple[str, ...]]]:
    """Make every bad input in a folder of its own and give its id, path, exit code and words."""
    for case in CASES:
        path = made(case, folder / case.id.replace(" ", "-"))
        yield case.id, path, case.code, case.words


def made(case: Case, folder: Path) -> Path:
    """Make one bad input in an empty folder."""
    path = folder / case.target
    path.parent.mkdir(parents=True, exist_ok=True)
    case.make(path)
    return path
