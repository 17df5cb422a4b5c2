"""Shut a process in: fresh namespaces, a private scratch, limits, no privileges, a filter on system calls.

This file is shown to the sandbox as it is (see `worker`), so it imports nothing but the standard library. `enter` is
called by the guard, whose children live in the namespaces; `seal` by the first of them, before it runs anything of a
learner; `watch` by the guard, which ends them all.

Sources: namespaces(7), user_namespaces(7), seccomp(2), Docker's default seccomp profile for what is worth refusing.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import platform
import re
import resource
import select
import signal
import socket
import stat
import struct
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)

NEW_NAMESPACES = {
    "mount": 0x00020000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000,
    "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000,
}  # fmt: skip
ALL_NAMESPACES = sum(NEW_NAMESPACES.values())
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 0x1000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
NO_FILES = MS_NOSUID | MS_NODEV | MS_NOEXEC
# what the kernel wants to see again when a mount is changed from inside a user namespace
KEPT = {"nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC, "noatime": 1 << 10, "nodiratime": 1 << 11}
KEPT |= {"relatime": 1 << 21}
OWN_PLACES = (b"/tmp", b"/dev/shm", b"/proc")  # /proc is covered as soon as the others have been looked at
NOBODY = 65534
LEARNER = 1000  # the user that a submission believes itself to be
SECONDS_BETWEEN_LOOKS = 0.05


class CannotConfine(OSError):
    """The system refuses a step; the text names the step."""


def check(step: str, result: int) -> None:
    """Raise CannotConfine where a call of libc failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise CannotConfine(number, f"{step}: {os.strerror(number)}")


def leave_root() -> None:
    """Become an ordinary user where we are root: root is exempt from the limit on processes, and owns what root
    owns."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        check("stay readable to itself", libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))


def enter() -> None:
    """Fresh namespaces for this process's children, which will be an unprivileged user of a user namespace of their
    own."""
    user, group = os.getuid(), os.getgid()
    check("make namespaces", libc.unshare(ALL_NAMESPACES))
    for file, text in (("setgroups", "deny"), ("uid_map", f"{LEARNER} {user} 1"), ("gid_map", f"{LEARNER} {group} 1")):
        with open(f"/proc/self/{file}", "w") as stream:
            stream.write(text)
    # a new user namespace closes a process to others, and `watch` is to see what its children share
    check("stay open to the guard", libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))


def seal(limits: dict[str, Any]) -> None:
    """Shut this process in, for good: scratch, limits, no capability, no way to new privileges, fewer system calls."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as first_to_go:
        first_to_go.write("1000")  # what the kernel ends where memory is at its end
    check("end with the guard", libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    check("leave the guard its view", libc.unshare(NEW_NAMESPACES["mount"]))
    check("keep mounts apart", libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    size, files = limits["scratch_bytes"], limits["scratch_files"]
    mount_scratch(b"/tmp", MS_NOSUID | MS_NODEV, f"size={size},nr_inodes={files},mode=0700")
    mount_scratch(b"/dev/shm", MS_NOSUID | MS_NODEV | MS_NOEXEC, f"size={size},nr_inodes={files},mode=0700")
    hide_terminals_and_zeros()
    close_other_mounts()
    hide_processes()
    os.chdir("/tmp")
    set_limits(limits)
    drop_capabilities()
    filter_system_calls()


def reopen_files(kept: set[int]) -> None:
    """Open anew each file that this process has from the warm one, but for those in `kept`: a position or a lock in an
    open file is shared by all forks. Raises CannotConfine for anything that cannot be opened anew."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            about = os.fstat(number)
        except OSError:  # that of the list itself
            continue
        if number in kept:
            continue
        if not stat.S_ISREG(about.st_mode) and not stat.S_ISCHR(about.st_mode):
            os.close(number)
            continue
        place = os.lseek(number, 0, os.SEEK_CUR)
        fresh = os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(fresh, place, os.SEEK_SET)
        os.dup2(fresh, number, inheritable=False)
        os.close(fresh)


def mount_scratch(place: bytes, flags: int, options: str) -> None:
    """An empty file system in memory."""
    check(f"mount {place.decode()}", libc.mount(b"tmpfs", place, b"tmpfs", flags, options.encode()))


def hide_terminals_and_zeros() -> None:
    """No terminals, which all submissions of a warm process would share, and no /dev/zero: mapped and shared, it is
    memory that no limit counts."""
    if os.path.isdir("/dev/pts"):
        mount_scratch(b"/dev/pts", NO_FILES | MS_RDONLY, "size=4k,nr_inodes=1")
    if os.path.exists("/dev/zero"):
        check("hide /dev/zero", libc.mount(b"/dev/null", b"/dev/zero", None, MS_BIND, None))


def close_other_mounts() -> None:
    """Make each mount that can be written to read-only, other than this submission's own: what one submission leaves
    in a place, the next would find. Raises CannotConfine where one stays open."""
    for place, options in mounts():
        if place not in OWN_PLACES and "rw" in options:
            keep = sum(flag for name, flag in KEPT.items() if name in options)
            step = f"make {os.fsdecode(place)} read-only"
            check(step, libc.mount(None, place, None, MS_REMOUNT | MS_BIND | MS_RDONLY | keep, None))
    for place, options in mounts():
        if place not in OWN_PLACES and "rw" in options:
            raise CannotConfine(errno.EBUSY, f"{os.fsdecode(place)} stays open to what a submission writes")


def mounts() -> list[tuple[bytes, set[str]]]:
    """The places where something is mounted, uppermost, and with which options (proc_pid_mountinfo(5))."""
    found: dict[bytes, set[str]] = {}
    with open("/proc/self/mountinfo", "rb") as stream:
        for line in stream:
            place, options = line.split()[4:6]
            place = re.sub(rb"\\([0-7]{3})", lambda escape: bytes([int(escape[1], 8)]), place)
            found[place] = set(options.decode().split(","))
    return list(found.items())


def hide_processes() -> None:
    """Nothing in /proc but the processor's description, which PyTorch reads."""
    with open("/proc/cpuinfo", "rb") as stream:
        processor = stream.read()
    flags = NO_FILES
    mount_scratch(b"/proc", flags, "size=4m,nr_inodes=4")
    with open("/proc/cpuinfo", "wb") as stream:
        stream.write(processor)
    check("close /proc", libc.mount(b"none", b"/proc", None, flags | MS_RDONLY | MS_REMOUNT, None))


def set_limits(limits: dict[str, Any]) -> None:
    """Limits of each process; what all of them take together is for `watch`."""
    mapped = resource.getpagesize() * limits["mapped_pages"]  # the libraries' part, which is not the learner's
    for kind, value in (
        (resource.RLIMIT_AS, mapped + limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(kind, (value, value))


def drop_capabilities() -> None:
    """No capability, and none to be had by running a program."""
    check("refuse new privileges", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    header, nothing = struct.pack("Ii", 0x20080522, 0), bytes(24)  # version 3: two words for each of three sets
    check("drop capabilities", libc.capset(header, nothing))


# Refused with "operation not permitted": what reaches other processes, the kernel's rarely walked corners, or memory
# that no other limit counts. Numbers: x86-64, arm64 (None: not there).
REFUSED = {
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "socketpair": (53, 199),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "syslog": (103, 116), "lookup_dcookie": (212, 18),
    "personality": (135, 92), "vhangup": (153, 58), "sched_setaffinity": (203, 122), "modify_ldt": (154, None),
    "iopl": (172, None), "ioperm": (173, None), "uselib": (134, None), "ustat": (136, None), "sysfs": (139, None),
}  # fmt: skip
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, and the kernel's name for it
FIRST_UNKNOWN = 450  # of system calls that are newer than this table, on both machines
CLONE, CLONE3, SOCKET, MMAP, FCNTL = (56, 220), (435, 435), (41, 198), (9, 222), (72, 25)
FAMILIES = (socket.AF_INET, socket.AF_INET6)  # in the network namespace these reach nothing, and hold no data
MAP_SHARED, MAP_ANONYMOUS = 0x01, 0x20
LOCKING = (6, 7, 37, 38)  # F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW: one file may have any number, uncounted
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, MACHINE, FIRST_ARGUMENT, SECOND_ARGUMENT, FOURTH_ARGUMENT = 0, 4, 16, 24, 40  # offsets in struct seccomp_data


def filter_program(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter in the kernel's classic BPF: (code, steps to skip if true, if false, operand)."""
    column, name = MACHINES[machine]
    program = [
        (LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, name), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, 0x40000000), (RETURN, 0, 0, KILL),  # x86-64 has a second table there
        (AT_LEAST, 0, 1, FIRST_UNKNOWN), (RETURN, 0, 0, REFUSE | errno.ENOSYS),
        (EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, REFUSE | errno.ENOSYS),  # its flags are out of sight
    ]  # fmt: skip
    for numbers in REFUSED.values():
        if (number := numbers[column]) is not None:
            program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    program += [
        (EQUAL, 0, 4, CLONE[column]), (LOAD, 0, 0, FIRST_ARGUMENT), (ANY_BIT, 0, 1, ALL_NAMESPACES),
        (RETURN, 0, 0, REFUSE | errno.EPERM), (RETURN, 0, 0, ALLOW),
        (EQUAL, 0, len(FAMILIES) + 2, SOCKET[column]), (LOAD, 0, 0, FIRST_ARGUMENT),
        *((EQUAL, len(FAMILIES) - i, 0, family) for i, family in enumerate(FAMILIES)),
        (RETURN, 0, 0, REFUSE | errno.EAFNOSUPPORT),
        (EQUAL, 0, len(LOCKING) + 3, FCNTL[column]), (LOAD, 0, 0, SECOND_ARGUMENT),
        *((EQUAL, len(LOCKING) - i, 0, command) for i, command in enumerate(LOCKING)),
        (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE | errno.ENOLCK),
        (EQUAL, 0, 5, MMAP[column]), (LOAD, 0, 0, FOURTH_ARGUMENT),
        (ANY_BIT, 0, 2, MAP_ANONYMOUS), (ANY_BIT, 0, 1, MAP_SHARED), (RETURN, 0, 0, REFUSE | errno.EPERM),
        (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip
    return program


class Program(ctypes.Structure):
    """The kernel's struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def filter_system_calls() -> None:
    """Install the filter; it cannot be taken off again, and children have it too."""
    machine = platform.machine()
    if machine not in MACHINES:
        raise CannotConfine(
            errno.ENOSYS, f"no filter of system calls for {machine}; there is one for {', '.join(MACHINES)}"
        )
    program = filter_program(machine)
    steps = b"".join(struct.pack("HBBI", *step) for step in program)
    check("filter system calls", libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(Program(len(program), steps)), 0, 0))


def watch(first: int, order: socket.socket, limits: dict[str, Any]) -> dict[str, Any]:
    """Wait until `first` ends, all of its namespace takes too much memory, or the grader closes `order`. When this
    returns, nothing is left in the namespace: the kernel ends it with its first process. Returns how it ended."""
    most, why = 0, "ended"
    while os.waitpid(first, os.WNOHANG) == (0, 0):
        most = max(most, memory_of_tree(first, limits["memory_bytes"]))
        ready, _, _ = select.select([order], [], [], SECONDS_BETWEEN_LOOKS)
        if ready or most > limits["memory_bytes"]:
            why = "stopped" if ready else "memory"
            os.kill(first, signal.SIGKILL)
            os.waitpid(first, 0)
            break
    return {"why": why, "memory_bytes": most, "processor_seconds": processor_seconds()}


def processor_seconds() -> float:
    """What this process and its children have used of processors."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def memory_of_tree(first: int, limit: int) -> int:
    """Bytes of memory of its own that a process and its descendants hold. What they share among them is counted for
    each at first, which is quick, and once where that is more than `limit`. (Memory that they share and no process
    need map is out of reach: of files in memory only the scratch is there, which has a limit of its own.)"""
    parents, sizes = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stream:
                    parents[int(entry)] = int(stream.read().rpartition(b")")[2].split()[1])
                with open(f"/proc/{entry}/statm", "rb") as stream:
                    _, resident, shared, *_ = map(int, stream.read().split())
                    sizes[int(entry)] = (resident - shared) * resource.getpagesize()
            except OSError:  # it ended while we looked
                continue
    family = {first}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    total = sum(sizes.get(member, 0) for member in family)
    return total if total <= limit else sum(proportional(member, sizes.get(member, 0)) for member in family)


def proportional(process: int, otherwise: int) -> int:
    """Bytes of a process's own memory, what it shares with its forks divided among them (proc_pid_smaps(5)); as said
    `otherwise` where the process does not let us look."""
    try:
        with open(f"/proc/{process}/smaps_rollup", "rb") as stream:
            sizes = dict(line.split(b":", 1) for line in stream if line.startswith(b"Pss_"))
        return 1024 * int(sizes[b"Pss_Anon"].split()[0])
    except (OSError, KeyError, ValueError):
        return otherwise


def mapped_pages() -> int:
    """Pages of address space that this process has now."""
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[0])


def report(order: socket.socket, words: dict[str, Any]) -> None:
    """Tell the grader how it ended, if it still listens."""
    try:
        order.sendall(json.dumps(words).encode())
    except OSError:
        return
