"""Jinja, format and percent marks in names and messages."""

CELLS = {
    "entropy": r"""
print('{{ config }} {0.__class__} %s %(x)s {% include "/etc/passwd" %}')


def entropy(p):
    raise type('{{ 7 * 7 }}%s{0}', (Exception,), {})('{{ 7 * 7 }} %n {x.__class__}')
""".lstrip()
}

NEVER_SHOWN = ("root:x:",)
