"""Metadata nested deeply inside an otherwise whole notebook."""


def write(file, text):
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    file.write_text(text.replace('"metadata": {', '"metadata": {"deep": ' + deep + ", ", 1))


SAYS = "nested more than"
