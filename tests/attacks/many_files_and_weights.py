"""Thousands of files, a pickle that runs code when read, and a folder that cannot be entered."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def beside(folder):
    for number in range(2000):
        (folder / f"f{number}").touch()
    (folder / "weights.pt").write_bytes(b"cos\nsystem\n(S'touch /tmp/pickled'\ntR.")
    closed = folder / "closed"
    closed.mkdir()
    closed.chmod(0)


SAYS = "other files or folders"
