"""Display tags nested tens of thousands deep, which take whoever cleans them steps to the square."""

CELLS = {
    "entropy": """class Page:
    def _repr_html_(self):
        return "<div>" * 3999


for _ in range(40):
    display(Page())


class Deeper(Page):
    def _repr_html_(self):
        return "<b>" * 60000


display(Deeper())


def entropy(p):
    return p.sum(-1)
"""
}
