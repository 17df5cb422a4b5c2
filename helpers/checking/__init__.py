"""How an exercise is checked, the same way in a learner's notebook and in the grader.

plain      values to plain data (JSON) and back, without pickle
shapes     the types of the data that crosses rooms
calling    play one case: make fresh arguments, call, write down what happened
comparing  compare numbers, structure, shape and dtype
judging    hold what happened against what was expected
kinds      what the judging of each notebook needs beyond that, and the tables that name it all
names      what the names in an answer's text mean
rules      what the text of an answer may and must not call
recognising  which mistake an answer makes, known or by its relation to what is right
relations  what a wrong answer has to do with the right one, whatever the exercise
marking    add up the cases of an exercise to a report
key        the public answer key: plain data, no code
card       the report as HTML and as text
progress   the learner's own table
"""
