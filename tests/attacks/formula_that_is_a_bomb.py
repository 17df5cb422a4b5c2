"""Write formulas that grow: nesting, towers of powers, sums within sums, macros that call themselves, a text of a
million characters. Reading and measuring are bounded by characters, depth and steps, whatever the formula is."""

NOTEBOOK = "08-reading-and-writing-math"
BOMBS = {
    "entropy_in_latex": "{" * 1400 + "}" * 50,
    "kl_in_latex": r"D(p\|q) = " + r"\sum_{x}(" * 30 + "p(x)" + ")" * 30 + r" \ge 0",
    "decomposition_in_latex": "9^{" * 35 + "9" + "}" * 35,
    "f_divergence_in_latex": r"\def\a{\a\a}\a",
    "mutual_information_in_latex": [r"\sum_{x,y}(" * 20 + "p(x,y)" + ")" * 20] * 4,
    "adam_in_latex": [r"m_t = m_{t-1}" + "^{9" * 30 + "}" * 30, r"\hat{" * 300 + "m" + "}" * 300],
    "natural_gradient_in_latex": ["F" + "F" * 1400, r"\nabla" * 250 + "p"],
    "rate_distortion_in_latex": "x" * 1_000_000,
}
CELLS = {name: f"def {name}():\n    return {text!r}\n" for name, text in BOMBS.items()}
