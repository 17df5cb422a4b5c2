"""A symbolic link to the solutions in the notebook's place."""


def write(file, text):
    file.symlink_to(file.parents[4] / "solutions" / file.parent.name / file.name)


SAYS = "not a file of its own"
