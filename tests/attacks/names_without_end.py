"""Import thousands of names and mention them all in the answer: what each means must not be looked up in all."""

NAMES = ",".join(f"n{number}" for number in range(3000))
CELLS = {
    "entropy": f"""try:
    import {NAMES}
except ImportError:
    pass


def entropy(p):
    return p.sum(-1), {NAMES}
"""
}
