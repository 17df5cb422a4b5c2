"""Give a hundred thousand formulas where one is asked for, texts that are no texts, and lists that hold themselves."""

NOTEBOOK = "08-reading-and-writing-math"
CELLS = {
    "entropy_in_latex": r"""
def entropy_in_latex():
    return [r"H(X) = -\sum_x p(x) \log p(x)"] * 100_000
""".lstrip(),
    "kl_in_latex": r"""
class Text(str):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __len__(self):
        return 1


def kl_in_latex():
    return Text("x" * 100_000)
""".lstrip(),
    "adam_in_latex": r"""
def adam_in_latex():
    lines = ["m_t = m_{t-1}"]
    lines.append(lines)
    return lines
""".lstrip(),
    "mutual_information_in_latex": r"""
def mutual_information_in_latex():
    return {0: "I(X;Y)", 1: b"I(X;Y)", 2: None, 3: float("nan")}
""".lstrip(),
}
