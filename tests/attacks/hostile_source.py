"""Source that is hard to read: deep brackets, long sums and chains, and a number of thousands of digits."""

CELLS = {
    "entropy": "NUMBER = 0x"
    + "f" * 5000
    + "\ndef entropy(p):\n    return "
    + "(" * 150
    + "p.sum(-1)"
    + ")" * 150
    + " + 1" * 900
    + "\n\n\ndef never(p):\n    return p"
    + ".real" * 2500
    + "\n"
}
