"""Hand in the notebook in UTF-16."""


def write(file, text):
    file.write_bytes(text.encode("utf-16"))


SAYS = "UTF-8"
