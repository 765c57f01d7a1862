"""A quiet spell of torch and transformers that leaves the process as it found it.

Here live: going offline, and saving and restoring threads, generators, verbosity and accelerate's shared states.
Not here: anything that trains.
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import os
import random
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np


def offline() -> None:
    """Forbid the network to the Hugging Face libraries; must come before their first import."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@contextmanager
def session(threads: int) -> Generator[None]:
    """Run with `threads` threads, without progress bars or chatter; restore everything on the way out.

    The libraries seed the global generators of Python, numpy and torch and keep states shared by all their objects;
    restoring the former and clearing the latter makes the order of runs in one process irrelevant.
    """
    import torch
    from transformers.utils import logging

    python, legacy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    before, level, bars = torch.get_num_threads(), logging.get_verbosity(), logging.is_progress_bar_enabled()
    torch.set_num_threads(threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        torch.set_num_threads(before)
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        _forget_shared_states()


def _forget_shared_states() -> None:
    """Clear what accelerate shares between all its objects of a process."""
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(reset_partial_state=True)  # pyright: ignore[reportPrivateUsage]
    GradientState._reset_state()  # pyright: ignore[reportPrivateUsage]
