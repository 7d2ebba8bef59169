"""Taking the lock off bytes in memory: files locked as a whole by easy-dataset-share (.enc) or by age (.age)."""

import base64
import hashlib

LOCKS = (".enc", ".age")
_SALT, _ROUNDS = 16, 100_000
"""Bytes of salt in front, and rounds of PBKDF2: as easy-dataset-share 0.5.0 writes them."""

_MEND = "check the password, or fetch it again"


def unlocked(content: bytes, suffix: str, password: str) -> bytes:
    """What was locked with this password. Raises ValueError, in words, for a wrong one and for what is no such file."""
    return _fernet(content, password) if suffix == ".enc" else _age(content, password)


def _fernet(content: bytes, password: str) -> bytes:
    """easy-dataset-share: salt, then Fernet (AES-128-CBC, HMAC-SHA256) under a key of PBKDF2-HMAC-SHA256."""
    from cryptography.fernet import Fernet, InvalidToken

    key = hashlib.pbkdf2_hmac("sha256", password.encode(), content[:_SALT], _ROUNDS)
    try:
        return Fernet(base64.urlsafe_b64encode(key)).decrypt(content[_SALT:])
    except InvalidToken as error:
        raise ValueError(f"wrong password, or not what easy-dataset-share locked; {_MEND}") from error


def _age(content: bytes, password: str) -> bytes:
    """age with a passphrase (https://age-encryption.org/v1), binary or armored."""
    from pyrage import DecryptError, passphrase  # pyright: ignore[reportAttributeAccessIssue] – compiled, without stubs

    try:
        return passphrase.decrypt(content, password)
    except DecryptError as error:
        slow = "work parameter" in str(error)  # it is measured, and a busy machine may seem too slow for any file
        mend = "try when the machine is less busy, or unlock it with age" if slow else _MEND
        raise ValueError(f"age cannot open it ({error}); {mend}") from error
