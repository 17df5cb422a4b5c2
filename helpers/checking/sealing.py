"""What an answer key says only to who has answered in a certain way: sealed with the answer, found by its digest."""

from __future__ import annotations

import hashlib

SALT = "reading and writing"


def digest(*parts: str) -> str:
    """A salted digest of some texts."""
    return hashlib.sha256("\0".join([SALT, *parts]).encode()).hexdigest()[:16]


def seal(text: str, *secret: str) -> str:
    """A text that only who has the secret can open."""
    plain = text.encode()
    stream = hashlib.shake_256("\0".join([SALT, *secret]).encode()).digest(len(plain))
    return bytes(a ^ b for a, b in zip(plain, stream, strict=True)).hex()


def opened(sealed: str, *secret: str) -> str:
    """The text that was sealed."""
    closed = bytes.fromhex(sealed)
    stream = hashlib.shake_256("\0".join([SALT, *secret]).encode()).digest(len(closed))
    return bytes(a ^ b for a, b in zip(closed, stream, strict=True)).decode()
