"""What the judging of each notebook needs beyond numbers that are close, one module for each.

divergences (01), channels (02), training (03), landscapes (04), sampling (05), kernels (06); `tables` names them all.
"""
