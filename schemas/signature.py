"""How a publisher may sign what it sends: Ed25519, in two headers of the message.

A key belongs to one source. Whoever has it can send under that source and no other; a source with a
registered key is believed only what is signed with it.
"""

from hashlib import sha256

SIGNER_HEADER = "signer"
"""Id of the key, :func:`key_id`, in ASCII."""
SIGNATURE_HEADER = "signature"
"""64 bytes: Ed25519 (RFC 8032) over :func:`signed_bytes`."""
_DOMAIN = b"popflow event 1\n"


def signed_bytes(topic: str, value: bytes) -> bytes:
    """What is signed: the event as it is sent, for one topic."""
    return _DOMAIN + topic.encode() + b"\n" + value


def key_id(public: bytes) -> str:
    """Sixteen hex digits that tell public keys (32 bytes) apart."""
    return sha256(public).hexdigest()[:16]
