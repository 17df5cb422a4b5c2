"""Hand in half a notebook."""


def write(file, text):
    file.write_text(text[: len(text) // 2])


SAYS = "not whole JSON"
