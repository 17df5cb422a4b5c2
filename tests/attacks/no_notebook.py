"""Hand in an empty folder."""


def write(file, text):
    (file.parent / "renamed.ipynb").write_text(text)


SAYS = "No notebook with the right name"
