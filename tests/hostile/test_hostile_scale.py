"""A checkpoint of 400 GB is inspected from its headers: about a second, little memory, and no byte of its data."""

import json
import os
import subprocess
import sys
from pathlib import Path

from badcase import INDEX, packed, tensor

SHARDS, BYTES = 200, 2_000_000_000
SECONDS, MEGABYTES = 10, 150  # the time is ten times the expected, the memory is the promise

PROBE = """
import sys, time
started = time.perf_counter()
from shadowgraph.cli.main import main
code = main(sys.argv[1:])
lines = open("/proc/self/status").read().splitlines()  # the high-water mark of this program alone
peak = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
print(f"{code} {time.perf_counter() - started:.3f} {peak:.1f}", file=sys.stderr)
"""


def sparse(folder: Path) -> None:
    """A decoder of 400 GB in 200 shards: one layer of 2 GB a shard, its data a hole in the file."""
    weights: dict[str, str] = {}
    for layer in range(SHARDS):
        name = f"model-{layer + 1:05d}-of-{SHARDS:05d}.safetensors"
        header: dict[str, object] = {}
        position = 0
        shapes = {f"self_attn.{part}_proj": (8192, 8192) for part in "qkvo"}
        shapes |= {"mlp.gate_proj": (28672, 8192), "mlp.up_proj": (28672, 8192), "mlp.down_proj": (8192, 28672)}
        shapes |= {"input_layernorm": (8192,), "post_attention_layernorm": (8192,)}
        for key, shape in shapes.items():
            size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
            full = f"model.layers.{layer}.{key}.weight"
            header[full] = tensor("BF16", list(shape), position, position + size)
            weights[full] = name
            position += size
        rest = BYTES - position
        header[f"model.layers.{layer}.rest.weight"] = tensor("BF16", [rest // 2], position, BYTES)
        weights[f"model.layers.{layer}.rest.weight"] = name
        text = packed(json.dumps(header).encode())
        (folder / name).write_bytes(text)
        os.truncate(folder / name, len(text) + BYTES)
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": SHARDS * BYTES}, "weight_map": weights}))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "num_hidden_layers": SHARDS}))


def test_a_sparse_checkpoint_of_400_gigabytes(tmp_path: Path) -> None:
    sparse(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "inspect", str(tmp_path), "--json"], capture_output=True, text=True, check=True
    )
    document = json.loads(done.stdout)
    assert document["stored_bytes"] == SHARDS * BYTES
    assert len(document["matrices"]) == 7 * SHARDS
    assert document["notes"] == []
    code, seconds, megabytes = done.stderr.split()
    print(f"400 GB inspected in {seconds} s with {megabytes} MB")  # noqa: T201
    assert code == "0"
    assert float(seconds) < SECONDS
    assert float(megabytes) < MEGABYTES, done.stderr
