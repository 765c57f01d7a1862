"""Strips: every layout of a stored matrix reads the same in strips as whole, and so do the sums over its entries."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shadowgraph.footprint import source
from shadowgraph.footprint.entries import tally
from shadowgraph.footprint.floor import rounding_variance
from shadowgraph.footprint.source import Strips, pair_of
from shadowgraph.seeds import generator
from shadowgraph.spectra.plan import spectrum_of
from shadowgraph.weights.fused import Cut
from shadowgraph.weights.matrix import Piece, WeightMatrix, load_piece
from shadowgraph.weights.pairing import Update
from shadowgraph.weights.readers.formats import read_any_header
from shadowgraph.weights.roles import Role
from shadowgraph.weights.strips import plane

CASES = {
    "plain": ((12, 10), Piece(None, False, Cut(1, (12,)), 0)),
    "turned": ((10, 12), Piece(None, True, Cut(1, (12,)), 0)),
    "second of two": ((12, 10), Piece(None, False, Cut(1, (8, 4)), 1)),
    "turned, second of two": ((10, 12), Piece(None, True, Cut(1, (8, 4)), 1)),
    "by head": ((12, 10), Piece(None, False, Cut(2, (3, 2, 1)), 1)),
    "row by row": ((12, 10), Piece(None, False, Cut(6, (1, 1)), 1)),
    "turned, by head": ((10, 12), Piece(None, True, Cut(2, (3, 2, 1)), 0)),
    "an expert": ((3, 12, 10), Piece(2, False, Cut(1, (12,)), 0)),
    "a turned half of an expert": ((3, 10, 12), Piece(1, True, Cut(1, (6, 6)), 1)),
    "a convolution": ((12, 5, 2, 1), Piece(None, False, Cut(1, (12,)), 0)),
}


def stored(path: Path, shape: tuple[int, ...], piece: Piece, label: str) -> WeightMatrix:
    save_file({"w": generator(1, label).standard_normal(shape).astype(np.float32)}, path)
    entry = read_any_header(path).entries[0]
    values = load_piece(entry, piece)
    rows, columns = values.shape
    return WeightMatrix(
        *("w", "w", "", Role("ffn", "up"), 0, None, (rows, columns), "F32", entry),
        load=partial(load_piece, entry, piece),
        piece=piece,
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rows", [1, 3, 5, 100])
def test_strips_are_the_matrix(case: str, rows: int, tmp_path: Path) -> None:
    shape, piece = CASES[case]
    matrix = stored(tmp_path / "m.safetensors", shape, piece, case)
    found = plane(matrix)
    assert found is not None
    whole = matrix.load().T if found.turned else matrix.load()
    read = [strip.copy() for strip in found.strips(whole.shape[0], rows)]
    assert max(strip.shape[0] for strip in read) <= rows
    assert np.array_equal(np.concatenate(read), whole)


@pytest.mark.parametrize("case", CASES)
def test_a_pair_in_strips_is_the_pair_in_memory(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, piece = CASES[case]
    before = stored(tmp_path / "a.safetensors", shape, piece, "before")
    after = stored(tmp_path / "b.safetensors", shape, piece, "after")
    held = pair_of(after, Update(before, after))
    monkeypatch.setattr(source, "RESIDENT", 0)
    monkeypatch.setattr("shadowgraph.footprint.entries.STRIP", 25)
    striped = pair_of(after, Update(before, after))
    difference = after.load() - before.load()
    update = striped.source("update")
    assert isinstance(update, Strips)
    for rows in (1, 2, 16, 100):
        blocks = np.concatenate([block.copy() for block in update.blocks(rows)])
        assert np.array_equal(blocks.T if striped.turned else blocks, difference)
    assert np.allclose(spectrum_of(update).values, np.linalg.svd(difference, compute_uv=False), rtol=0, atol=1e-9)
    one, other = tally(held, "F32", "F32"), tally(striped, "F32", "F32")
    margins = [other.row_energies, other.column_energies]
    assert other.finite
    assert np.allclose(margins[striped.turned], np.sum(difference**2, axis=1))
    assert np.allclose(margins[not striped.turned], np.sum(difference**2, axis=0))
    assert other.zeros == one.zeros
    for name in ("after_energy", "before_energy", "inner", "update_sum", "after_noise", "before_noise"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-12), name
    assert other.after_noise == pytest.approx(rounding_variance(after.load(), "F32"), rel=1e-12)


def test_zeros_are_counted_at_three_sizes(tmp_path: Path) -> None:
    """Origin: counting by hand; one bfloat16 step of an entry 2^e is 2^(e − 7)."""
    matrix = {"w": np.array([[1.0, 1.5, 2.0, 0.0], [1e-6, 4.0, -1.0, 3.0]])}
    change = np.array([[0.0, 2.0**-7, 2.0**-6 * 1.1, 0.0], [9e-6, 2e-5, -(2.0**-7) * 1.1, 0.5]])
    pieces: list[WeightMatrix] = []
    for name, values in (("a", matrix["w"]), ("b", matrix["w"] + change)):
        save_file({"w": values}, tmp_path / name)
        entry = read_any_header(tmp_path / name).entries[0]
        pieces.append(
            WeightMatrix(
                *("w", "w", "", Role("ffn", "up"), 0, None, (2, 4), "F64", entry),
                load=partial(load_piece, entry, Piece(None, False, Cut(1, (2,)), 0)),
            )
        )
    assert tally(pair_of(pieces[1], Update(pieces[0], pieces[1])), "F64", "F64").zeros == (2, 3, 4)


def test_entries_that_are_not_finite_are_seen(tmp_path: Path) -> None:
    for bad in (np.nan, np.inf, -np.inf):
        values = np.ones((4, 4))
        values[2, 1] = bad
        save_file({"w": values}, tmp_path / "m")
        entry = read_any_header(tmp_path / "m").entries[0]
        piece = Piece(None, False, Cut(1, (4,)), 0)
        matrix = WeightMatrix(
            *("w", "w", "", Role("ffn", "up"), 0, None, (4, 4), "F64", entry), load=partial(load_piece, entry, piece)
        )
        assert not tally(pair_of(matrix, None), "F64", "").finite
