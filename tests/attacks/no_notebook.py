"""Hand in a folder without a notebook."""


def write(file, text):
    (file.parent / "renamed.txt").write_text(text)


SAYS = "No notebook with the right name"
