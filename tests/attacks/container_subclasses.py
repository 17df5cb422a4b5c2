"""Return subclasses of str, list and dict that lie about length and content."""

CELLS = {
    "entropy": r"""
class Text(str):
    def __eq__(self, other):
        return True
    __hash__ = str.__hash__

class Items(list):
    def __len__(self):
        return 1
    def __iter__(self):
        return iter([1.0])

turn = [Text('1'), Items([1.0] * 9), type('D', (dict,), {'items': lambda self: []})()]


def entropy(p):
    turn.append(turn.pop(0))
    return turn[0]
""".lstrip()
}
