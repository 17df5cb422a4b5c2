"""Hand in a file of a terabyte, most of it hole."""

import os


def write(file, text):
    file.write_text(text)
    os.truncate(file, 2**40)


SAYS = "larger than"
