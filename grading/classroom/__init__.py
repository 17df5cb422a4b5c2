"""A class: nbgrader's commands and gradebook on our grading, and whole classes at once."""
