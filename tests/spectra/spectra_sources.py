"""Matrices and sources that several tests of this room share."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st

from shadowgraph.seeds import generator
from shadowgraph.spectra.plan import Plan, plan_spectrum


class Rows:
    """A matrix that can only be read by rows, whose blocks are gone once the next is asked for."""

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = np.asarray(matrix, dtype=np.float64)
        self.passes = 0

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape[0], self.matrix.shape[1]

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        self.passes += 1
        buffer = np.empty((min(rows, self.shape[0]), self.shape[1]))
        for first in range(0, self.shape[0], rows):
            block = self.matrix[first : first + rows]
            buffer[...] = np.nan
            buffer[: block.shape[0]] = block
            view = buffer[: block.shape[0]]
            view.setflags(write=False)
            yield view


def random_matrix(seed: int, m: int, n: int, decay: float) -> np.ndarray:
    """A Gaussian matrix whose rows fade: decay 0 is noise, 1 nearly rank 1."""
    stream = generator(seed, "matrix")
    return stream.normal(size=(m, n)) * np.exp(-decay * np.arange(m))[:, None]


def float32_first(shape: tuple[int, int]) -> Plan:
    """The plan of a large matrix for one of a size that tests can afford."""
    return dataclasses.replace(plan_spectrum(shape), method="gram32", fallback="gram64")


def with_values(values: np.ndarray, m: int, n: int, seed: int = 0) -> np.ndarray:
    """An m × n matrix of given singular values and random vectors."""
    stream = generator(seed, "rotation")
    left, right = (np.linalg.qr(stream.normal(size=(size, len(values))))[0] for size in (m, n))
    return (left * values) @ right.T


matrices = st.builds(
    random_matrix, st.integers(0, 10**6), st.integers(1, 24), st.integers(1, 24), st.sampled_from([0.0, 0.2, 1.0])
)
