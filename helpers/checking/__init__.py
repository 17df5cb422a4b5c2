"""How an exercise is checked, the same way in a learner's notebook and in the grader.

plain      values to plain data (JSON) and back, without pickle
functions  the named functions that an exercise may hand to a learner's function
drivers    the ways in which a case calls a function: once, for its gradient, many times
calling    play one case: make fresh arguments, call, write down what happened
comparing  compare numbers, structure, shape and dtype
judging    hold what happened against what was expected
rules      what the text of an answer may and must not call
marking    add up the cases of an exercise to a report
key        the public answer key: plain data, no code
card       the report as HTML and as text
progress   the learner's own table
"""
