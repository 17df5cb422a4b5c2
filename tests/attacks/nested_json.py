"""JSON nested 100,000 levels deep."""


def write(file, text):
    file.write_text("[" * 100_000 + "]" * 100_000)


SAYS = "nested more than"
