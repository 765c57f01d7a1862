"""The only door to randomness: a seed and a label give a stream.

Here live: named generators and order-independent keyed draws.
Not here: any global state. Nothing else in the package calls `numpy.random`.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64


def generator(seed: int, *label: str) -> np.random.Generator:
    """Open the stream of numbers that belongs to `seed` and `label`.

    Args:
        seed: the study's or the caller's integer seed.
        label: what the numbers are for, for example ("order", "draw-3").

    Returns:
        A PCG64 generator; equal arguments give equal streams, different labels independent ones.
    """
    digest = hashlib.sha256("\x1f".join((str(int(seed)), *label)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def derive(seed: int, *label: str) -> int:
    """Derive a child seed in 0 … 2**31 - 1, for libraries that take only an integer."""
    return int(generator(seed, "derive", *label).integers(2**31))


def keyed_uniform(seed: int, label: str, ids: Iterable[str]) -> Float64[np.ndarray, " n"]:
    """Draw one uniform number in (0, 1) for every id, independent of the order of the ids.

    Args:
        seed: integer seed.
        label: what the draw is for.
        ids: n identifiers.

    Returns:
        Array (n,), the same value for the same (seed, label, id) in any shard or order.
    """
    prefix = f"{int(seed)}\x1f{label}\x1f".encode()
    bits = np.frombuffer(
        b"".join(
            hashlib.blake2b(prefix + item.encode("utf-8", "surrogatepass"), digest_size=8).digest() for item in ids
        ),
        dtype="<u8",
    )
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / float(1 << 53)
