"""What a learner imports: `check`, `hint` and `progress`, and small verified routines in the modules beside them."""

from helpers.checking.check import check, hint
from helpers.checking.progress import progress

__all__ = ["check", "hint", "progress"]
