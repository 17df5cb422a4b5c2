"""The place that learners' code runs in: made and asked from outside, shut in from inside."""
