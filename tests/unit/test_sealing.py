"""How messages are sealed: what was sealed by an earlier release, or by another program, opens."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from activities.privacy.sealing import Tampered, seal, unseal

SECRET = bytes(range(32))


@given(salt=st.binary(min_size=16, max_size=16), nonce=st.binary(min_size=12, max_size=12), plain=st.binary())
def test_a_message_is_under_a_key_by_hkdf_of_its_salt(salt: bytes, nonce: bytes, plain: bytes) -> None:
    key = HKDFExpand(algorithm=SHA256(), length=32, info=b"aftersales message key" + salt).derive(SECRET)
    sealed = salt + nonce + AESGCM(key).encrypt(nonce, plain, b"context")
    assert unseal(SECRET, b"context", sealed) == plain


def test_what_is_sealed_opens_with_the_same_secret_and_context_only() -> None:
    sealed = seal(SECRET, b"context", b"plain")
    assert unseal(SECRET, b"context", sealed) == b"plain"
    assert seal(SECRET, b"context", b"plain") != sealed
    for secret, context in ((SECRET[::-1], b"context"), (SECRET, b"another")):
        with pytest.raises(Tampered):
            unseal(secret, context, sealed)
