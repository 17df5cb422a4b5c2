"""What the judging of each notebook needs beyond numbers that are close.

divergences (01), channels (02), training and lending (03), landscapes (04), sampling (05), kernels (06), steps (07);
`calls` has the drivers that all use, and `tables` names everything.
"""
