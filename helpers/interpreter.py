"""Where Triton kernels run: on the GPU, or without one under Triton's interpreter, which plays the GPU in NumPy."""

from __future__ import annotations

import importlib.util
import os
import sys

import torch

from helpers.safe_interpreter import make_safe

NO_TRITON = (
    "Triton exists for Linux only and is not installed here. The exercises in plain torch work; those with a kernel "
    "need a Linux machine, with or without a GPU (`pip install triton`)."
)
INTERPRETED = "No GPU here: kernels run under Triton's interpreter. Right answers, at a crawl: nothing to time."


def prepare() -> str:
    """Choose the interpreter where there is no GPU, and return what was chosen, in words.

    Call it before triton is imported, which asks for TRITON_INTERPRET then. A value that is set already stays. The
    interpreter is made to say what goes wrong (see `safe_interpreter`). Raises RuntimeError where it comes too late.
    """
    if importlib.util.find_spec("triton") is None:
        return NO_TRITON
    if not torch.cuda.is_available():
        if "triton" in sys.modules and not interpreted():
            raise RuntimeError("triton was imported before prepare(): restart the notebook's kernel, then run again")
        os.environ.setdefault("TRITON_INTERPRET", "1")
    if os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "yes", "on", "y"):
        make_safe()
        return INTERPRETED
    return f"Kernels run on the GPU: {torch.cuda.get_device_name()}."


def interpreted() -> bool:
    """Whether triton, already imported, has built its own functions for the interpreter."""
    import triton

    return not isinstance(triton.language.sum, triton.runtime.JITFunction)
