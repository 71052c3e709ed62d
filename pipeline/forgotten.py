"""How a forgotten person is known again: by a digest of the pseudonym."""

from hashlib import sha256


def digest_of(person: bytes) -> str:
    """SHA-256 of a pseudonym (as it stands in a key), which is 128 random bits: no list to try."""
    return sha256(b"popflow forgotten:" + person).hexdigest()
