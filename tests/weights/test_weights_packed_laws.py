"""Quantised layouts in all their shapes: what an independent packer stores is what is read, and its steps are those.

The packers are written after the published layouts (see `packers`); files of the libraries are in
`test_weights_packed_golden`.
"""

from pathlib import Path

import ml_dtypes
import numpy as np
import packers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowgraph.errors import CheckpointError
from shadowgraph.seeds import generator
from shadowgraph.weights.checkpoint import open_checkpoint
from shadowgraph.weights.readers import packed_bytes, values
from shadowgraph.weights.readers.packed_codes import E2M1, steps_of
from shadowgraph.weights.readers.packings import decoder
from shadowgraph.weights.readers.values import read_runs, read_values
from shadowgraph.weights.tensor import TensorEntry

Array = packers.Array
NF4 = np.sort(generator(0, "map").uniform(-1, 1, 16)).astype(np.float32)


def stored(folder: Path, members: packers.Members, stem: str = packers.STEM, **config: object) -> TensorEntry:
    """The logical entry of one group."""
    checkpoint = open_checkpoint(packers.write(folder, packers.under(stem, members), **config))
    found = [entry for entry in checkpoint.entries if not entry.companion]
    assert len(found) == 1, checkpoint.skipped
    assert not found[0].unreadable, found[0].unreadable
    return found[0]


def check(entry: TensorEntry, expected: Array, steps: Array, first: int, held: int) -> None:
    """Whole, by rows and by single columns of the file, and the squared steps of all and of some rows."""
    before = packed_bytes.HELD, values.UNPACKED
    packed_bytes.HELD = held
    values.UNPACKED = 2 * expected.shape[-1]
    try:
        assert np.array_equal(read_values(entry), expected)
        lines = expected.reshape(-1, expected.shape[-1])
        assert np.array_equal(read_runs(entry, lines.shape[1], [(first, lines.shape[0])]), lines[first:])
        squares = np.broadcast_to(np.square(steps), expected.shape).reshape(lines.shape)
        found = decoder(entry).squared_steps(entry, first, lines.shape[0])
        assert found == pytest.approx(float(squares[first:].sum()), rel=1e-12)
    finally:
        packed_bytes.HELD, values.UNPACKED = before


@given(
    bits=st.sampled_from([2, 3, 4, 8]),
    outputs=st.sampled_from([32, 64, 96]),
    groups=st.integers(1, 4),
    added=st.sampled_from([0, 1]),
    order=st.sampled_from(["absent", "even", "shuffled"]),
    held=st.sampled_from([0, 1 << 20]),
)
def test_gptq(
    *,
    bits: int,
    outputs: int,
    groups: int,
    added: int,
    order: str,
    held: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Both conventions of zeros, every order of inputs, rows of the packed words split at any place."""
    stream = generator(0, "gptq", str((bits, outputs, groups, added)))
    inputs = 32 * groups
    codes = stream.integers(0, 1 << bits, (outputs, inputs))
    zeros = stream.integers(added, 1 << bits, (outputs, groups))
    scales = stream.uniform(0.001, 0.1, (outputs, groups)).astype(np.float16)
    index = np.arange(inputs) // 32
    index = stream.permutation(index) if order == "shuffled" else index
    members = packers.gptq(codes, zeros, scales, None if order == "absent" else index, bits, added)
    layout = "gptq" if added else "gptq_v2"
    config = {"quant_method": "gptq", "bits": bits, "group_size": 32, "checkpoint_format": layout}
    entry = stored(tmp_path_factory.mktemp("gptq"), members, quantization_config=config)
    assert (entry.dtype, entry.shape) == (f"GPTQ-{bits}", (outputs, inputs))
    first = int(stream.integers(0, outputs))
    check(entry, packers.affine(codes, zeros, scales, index), scales.astype(float)[:, index], first, held)


@given(outputs=st.sampled_from([8, 16, 72]), groups=st.integers(1, 3), held=st.sampled_from([0, 1 << 20]))
def test_awq(*, outputs: int, groups: int, held: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also without a configuration: the shapes of its words are those of no other layout."""
    stream = generator(0, "awq", str((outputs, groups)))
    codes = stream.integers(0, 16, (outputs, 24 * groups))
    zeros = stream.integers(0, 16, (outputs, groups))
    scales = stream.uniform(0.001, 0.1, (outputs, groups)).astype(np.float16)
    entry = stored(tmp_path_factory.mktemp("awq"), packers.awq(codes, zeros, scales))
    assert (entry.dtype, entry.shape) == ("AWQ-4", codes.shape)
    index = np.arange(24 * groups) // 24
    first = int(stream.integers(0, outputs))
    check(entry, packers.affine(codes, zeros, scales, index), scales.astype(float)[:, index], first, held)


@given(
    bits=st.sampled_from([2, 4, 8]),
    shape=st.tuples(st.integers(2, 40), st.integers(1, 3)),
    each=st.sampled_from([11, 16, 32]),
    asymmetric=st.booleans(),
)
def test_compressed_tensors(
    *, bits: int, shape: tuple[int, int], each: int, asymmetric: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Inputs that do not fill their last word, and zero points packed along the outputs."""
    stream = generator(0, "compressed", str((bits, shape, each)))
    outputs, groups = shape
    codes = stream.integers(0, 1 << bits, (outputs, each * groups))
    zeros = stream.integers(0, 1 << bits, (outputs, groups)) if asymmetric else None
    scales = stream.uniform(0.001, 0.1, (outputs, groups)).astype(ml_dtypes.bfloat16)
    entry = stored(tmp_path_factory.mktemp("compressed"), packers.compressed(codes, zeros, scales, bits))
    index = np.arange(each * groups) // each
    offset = np.full((outputs, groups), 1 << (bits - 1)) if zeros is None else zeros
    first = int(stream.integers(0, outputs))
    check(entry, packers.affine(codes, offset, scales, index), scales.astype(float)[:, index], first, 0)


@given(bits=st.sampled_from([2, 3, 4, 5, 6, 8]), lead=st.sampled_from([(), (3,)]), rows=st.integers(2, 9))
def test_mlx(*, bits: int, lead: tuple[int, ...], rows: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Codes that cross words, and experts stacked in one tensor."""
    stream = generator(0, "mlx", str((bits, lead, rows)))
    lines = rows * (lead[0] if lead else 1)
    codes = stream.integers(0, 1 << bits, (lines, 64))
    scales, biases = (stream.uniform(-0.1, 0.1, (lines, 2)).astype(np.float32) for _ in range(2))
    members = packers.mlx(codes, scales, biases, bits)
    members = {name: part.reshape(*lead, rows, -1) for name, part in members.items()}
    entry = stored(tmp_path_factory.mktemp("mlx"), members, quantization={"group_size": 32, "bits": bits})
    index = np.arange(64) // 32
    expected = packers.affine(codes, None, scales, index) + biases.astype(float)[:, index]
    first = int(stream.integers(0, lines))
    check(entry, expected.reshape(*lead, rows, 64), scales.astype(float)[:, index].reshape(*lead, rows, 64), first, 0)


@given(
    shape=st.sampled_from([(6, 40), (5, 33), (3, 64), (2, 3, 17)]),
    block=st.sampled_from([16, 32, 64]),
    nested=st.booleans(),
    kind=st.sampled_from(["nf4", "fp4"]),
)
def test_bitsandbytes_four_bits(
    *, shape: tuple[int, ...], block: int, nested: bool, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Blocks run on from row to row; an odd number of codes leaves half a byte; factors may be codes themselves."""
    stream = generator(0, "four", str((shape, block, nested)))
    codes = stream.integers(0, 16, shape)
    blocks = -(-codes.size // block)
    extra: dict[str, object] = {}
    if nested:
        inner = np.linspace(-1, 1, 256, dtype=np.float32)
        outer = stream.uniform(0.1, 1, -(-blocks // 4)).astype(np.float32)
        absmax = stream.integers(0, 256, blocks).astype(np.uint8)
        factors = inner.astype(float)[absmax] * outer.astype(float)[np.arange(blocks) // 4] + 0.3
        extra = {"nested_absmax": outer, "nested_quant_map": inner, "nested_blocksize": 4, "nested_offset": 0.3}
    else:
        absmax = stream.uniform(0.1, 1, blocks).astype(np.float32)
        factors = absmax.astype(float)
    members = packers.bitsandbytes(codes, absmax, NF4, block, kind, **extra)
    entry = stored(tmp_path_factory.mktemp("four"), members)
    assert entry.dtype == kind.upper()
    spread = factors.repeat(block)[: codes.size].reshape(shape)
    steps = np.sqrt(steps_of(NF4.astype(float), inward=True))[codes] * spread
    first = int(stream.integers(0, codes.size // shape[-1]))
    check(entry, NF4.astype(float)[codes] * spread, steps, first, 0)


def test_four_bit_floats_of_gpt_oss(tmp_path: Path) -> None:
    """Against the helper of transformers, which gives the transpose."""
    import torch
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    stream = generator(0, "mxfp4")
    blocks = stream.integers(0, 256, (3, 10, 2, 16)).astype(np.uint8)
    scales = stream.integers(110, 140, (3, 10, 2)).astype(np.uint8)
    name = "model.layers.0.mlp.experts.gate_up_proj"
    folder = packers.write(tmp_path, {f"{name}_blocks": blocks, f"{name}_scales": scales})
    entry = next(entry for entry in open_checkpoint(folder).entries if not entry.companion)
    assert (entry.name, entry.shape, entry.dtype) == (name, (3, 10, 64), "MXFP4")
    reference = convert_moe_packed_tensors(torch.from_numpy(blocks), torch.from_numpy(scales), dtype=torch.float64)
    assert np.array_equal(read_values(entry), reference.transpose(1, 2).numpy())


def test_an_exponent_that_is_no_number(tmp_path: Path) -> None:
    """E8M0: 255 is not a number, 0 is 2^−127."""
    blocks, scales = np.full((2, 2, 1, 16), 0x21, np.uint8), np.array([[[0], [127]], [[255], [254]]], np.uint8)
    folder = packers.write(tmp_path, {"model.layers.0.x_blocks": blocks, "model.layers.0.x_scales": scales})
    entry = next(entry for entry in open_checkpoint(folder).entries if not entry.companion)
    found = read_values(entry)
    assert found[0, 0, :2].tolist() == [0.5 * 2.0**-127, 2.0**-127]
    assert np.isnan(found[1, 0]).all()
    assert found[1, 1, 1] == 2.0**127


def test_steps_of_a_table_are_the_error_of_rounding_to_it() -> None:
    """Values spread evenly over the cells of a table and rounded to the nearest: mean squared error is step² / 12."""
    table = np.array([-1.0, -0.4, 0.0, -0.0, 0.3, 1.0])
    found = steps_of(table, inward=True)
    levels = np.unique(table + 0.0)
    middles = np.concatenate(([-1.0], (levels[1:] + levels[:-1]) / 2, [1.0]))
    for level, low, high in zip(levels, middles[:-1], middles[1:], strict=True):
        dense = np.linspace(low, high, 200_001)
        step = found[np.flatnonzero(table == level)[0]]
        assert np.mean(np.square(dense - level)) == pytest.approx(step / 12, rel=1e-4), level
    assert found[2] == found[3]
    outward = steps_of(E2M1, inward=False)
    assert outward[7] == outward[15] == 4.0  # 4 to 6, and as far beyond
    assert np.array_equal(steps_of(np.zeros(16), inward=True), np.zeros(16))


@pytest.mark.parametrize("index", [-1, 2])
def test_an_input_of_a_group_that_is_not_there(index: int, tmp_path: Path) -> None:
    codes, groups = np.ones((32, 64), int), np.arange(64) // 32
    groups[5] = index
    scales = np.ones((32, 2), np.float16)
    members = packers.gptq(codes, np.ones((32, 2), int), scales, groups, 4, 1)
    entry = stored(tmp_path, members, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(CheckpointError, match=f"group {index} of 2"):
        read_values(entry)


def test_a_file_that_changed_is_not_read_from_memory(tmp_path: Path) -> None:
    """What is kept of a packed tensor is not given out for another file."""
    codes = np.ones((32, 64), int)
    members = packers.awq(codes, np.ones((32, 2), int), np.ones((32, 2), np.float16))
    entry = stored(tmp_path, members)
    read_values(entry)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CheckpointError, match="changed while reading"):
        read_values(entry)


@given(starts=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=12), most=st.integers(1, 40))
def test_runs_decoded_together_are_the_runs(starts: list[tuple[int, int]], most: int) -> None:
    """Every line once and in its order, none of the calls much larger than what it gives or than the limit."""
    runs = [(first, first + count) for first, count in starts]
    calls = list(values._together(runs, most))  # pyright: ignore[reportPrivateUsage]
    flat = [line for call in calls for first, last in call for line in range(first, last)]
    assert flat == [line for first, last in runs for line in range(first, last)]
    for call in calls:
        reach, wanted = call[-1][1] - call[0][0], sum(last - first for first, last in call)
        assert 0 < reach <= min(most, values.SPARSE * wanted)
