"""Write programs, templates and markup where a formula is asked for: nothing of an answer in LaTeX is run or shown as
markup."""

NOTEBOOK = "08-reading-and-writing-math"
PROGRAMS = {
    "entropy_in_latex": "__import__('os').system('touch @HOME@/was-here')",
    "kl_in_latex": "\\immediate\\write18{touch @HOME@/was-here} \\ge 0",
    "f_divergence_in_latex": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "decomposition_in_latex": "H(p,q) = H(p) + <script>alert(1)</script>",
    "rate_distortion_in_latex": "\\input{/etc/passwd}",
}
CELLS = {name: f"def {name}():\n    return {text!r}\n" for name, text in PROGRAMS.items()}
NEVER_SHOWN = ("<script>alert(1)",)
