"""The course's own Triton kernels, ready for use in a model (notebook 06).

`log_softmax` and `cross_entropy` are drop-in replacements for their namesakes in torch.nn.functional, over the last
dimension and over class indices. They are registered with torch.library, so autograd, torch.library.opcheck and
torch.compile work. All arithmetic inside is float32, whatever the dtype of the tensors (float64 included), and results
keep that dtype (under autocast too).

They run on a GPU, or anywhere under Triton's interpreter: set TRITON_INTERPRET=1 before Triton is first imported.
"""

from __future__ import annotations

try:
    import triton  # noqa: F401 (imported to see that it is there)
except ImportError as error:
    raise ImportError(
        "helpers.kernels needs Triton, which exists for Linux only: on Linux run `pip install triton`, elsewhere use "
        "a Linux machine. The exercises in plain torch need neither."
    ) from error

from helpers.kernels.losses import cross_entropy
from helpers.kernels.softmax import log_softmax

__all__ = ["cross_entropy", "log_softmax"]
