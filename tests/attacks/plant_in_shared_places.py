"""Write into each place that is mounted, for whoever is graded next: answer keys, terminals, devices, caches."""

PLACES = (
    "/course/helpers/keys", "/course/helpers", "/course", "/course/packages", "/course/packages/0", "/dev", "/dev/pts",
    "/dev/shm/..", "/proc", "/etc", "/usr", "/usr/lib", "/sys/devices/system/cpu", "/sys", "/root", "/home", "/var",
    "/run",
)  # fmt: skip
CELLS = {
    "entropy": f"""import os

for place in {PLACES!r}:
    try:
        with open(os.path.join(place, "01-information-identities.json"), "w") as stream:
            stream.write("PLANTED")
        print("WRITTEN", place)
    except OSError:
        pass


def entropy(p):
    return p.sum(-1)
"""
}
NEVER_SHOWN = ("WRITTEN",)
THEN = f"""import os

print("LEFT", [place for place in {PLACES!r} if os.path.exists(place + "/01-information-identities.json")])
"""
THEN_SHOWS = "LEFT []"
