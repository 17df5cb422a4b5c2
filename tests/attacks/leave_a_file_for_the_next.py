"""Leave a file and a module for whoever is graded next."""

CELLS = {
    "entropy": """import os

for place in ("/tmp", "/dev/shm", "/var/tmp", "/course", "/course/helpers", "/"):
    try:
        with open(os.path.join(place, "left_behind.py"), "w") as stream:
            stream.write("LEFT")
    except OSError:
        pass


def entropy(p):
    return p.sum(-1)
"""
}
THEN = """import os

found = [p for p in ("/tmp", "/dev/shm", "/var/tmp", "/course", "/course/helpers", "/")
         if os.path.exists(os.path.join(p, "left_behind.py"))]
print("FOUND", found)
"""
THEN_SHOWS = "FOUND []"
