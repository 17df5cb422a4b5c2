"""A folder with the notebook's name."""


def write(file, text):
    file.mkdir()
    (file / "x").write_text("x")


SAYS = "not a file"
