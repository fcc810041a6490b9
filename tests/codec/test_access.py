"""Which tokens the codec server takes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import ValidationError

from starter.codec_server.access import Caller, NotAllowed, Role, Unauthenticated, UnusableKey
from starter.codec_server.configuration import origins_of
from tests.codec.serving import SECRET, serving, token

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())


def claims(**changes: Any) -> dict[str, Any]:
    usual = {
        "iss": "aftersales",
        "aud": "aftersales-codec",
        "sub": "o-1",
        "role": "operator",
        "exp": datetime.now(UTC) + timedelta(minutes=5),
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(**changes: Any) -> str:
    return jwt.encode(claims(**changes), SECRET, algorithm="HS256")


def pem(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_token_says_who_asks_in_which_role() -> None:
    tokens = serving().tokens()
    assert tokens.caller(token("operator", "o-1")) == Caller(Role.OPERATOR, "o-1")
    assert tokens.caller(token("service", "export|7")) == Caller(Role.SERVICE, "export|7")
    assert tokens.caller(signed(aud=["others", "aftersales-codec"])) == Caller(Role.OPERATOR, "o-1")


def test_an_auditor_must_say_why() -> None:
    tokens = serving().tokens()
    assert tokens.caller(token("auditor", "a-1", reason=" complaint 4711 ")) == Caller(
        Role.AUDITOR, "a-1", "complaint 4711"
    )
    for reason in (None, "", "  ", 7, "x" * 501):
        with pytest.raises(NotAllowed, match="must say why, in a claim `reason`"):
            tokens.caller(signed(role="auditor", reason=reason))


@pytest.mark.parametrize("role", [None, "", "admin", "OPERATOR", 1, ["operator"]])
def test_a_role_that_is_none_is_not_allowed(role: object) -> None:
    with pytest.raises(NotAllowed, match="operator, auditor, service"):
        serving().tokens().caller(signed(role=role))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: signed(exp=datetime.now(UTC) - timedelta(minutes=1)), "has expired"),
        (lambda: signed(aud="others"), "somebody else"),
        (lambda: signed(iss="others"), "issuer"),
        (lambda: signed(exp=None), "lacks exp"),
        (lambda: signed(iss=None), "lacks iss"),
        (lambda: signed(aud=None), "lacks aud"),
        (lambda: signed(sub=None), "lacks sub"),
        (lambda: signed(sub=""), "printable"),
        (lambda: signed(sub="o-1\nforged log line"), "printable"),
        (lambda: signed(sub="x" * 201), "printable"),
        (lambda: signed(sub=7), "not valid"),
        (lambda: signed(nbf=datetime.now(UTC) + timedelta(minutes=5)), "not valid"),
        (lambda: jwt.encode(claims(), "another secret, also long enough for it", algorithm="HS256"), "not valid"),
        (lambda: jwt.encode(claims(), SECRET * 2, algorithm="HS512"), "not valid"),
        (lambda: jwt.encode(claims(), "", algorithm="none"), "not valid"),
        (lambda: signed()[:-2], "not valid"),
        (lambda: "", "not valid"),
        (lambda: "é.é.é", "not valid"),
    ],
)
def test_a_token_that_does_not_count_says_why_and_nothing_of_itself(made: Callable[[], str], reason: str) -> None:
    with pytest.raises(Unauthenticated, match=reason) as refused:
        serving().tokens().caller(made())
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None or refused.value.__suppress_context__


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (P256, "ES256")])
def test_tokens_of_an_issuer_with_a_private_key(key: Any, algorithm: str, tmp_path: Path) -> None:
    path = tmp_path / "issuer.pem"
    path.write_bytes(pem(key))
    tokens = serving(token_secret=None, token_public_key=path).tokens()
    assert tokens.caller(jwt.encode(claims(), key, algorithm=algorithm)) == Caller(Role.OPERATOR, "o-1")
    other = {"RS256": P256, "ES256": RSA}[algorithm]
    with pytest.raises(Unauthenticated):
        tokens.caller(jwt.encode(claims(), other, algorithm={"RS256": "ES256", "ES256": "RS256"}[algorithm]))
    # The public key is no secret: it must not count as one.
    with pytest.raises(Unauthenticated):
        tokens.caller(hs256_with(pem(key)))


def hs256_with(secret: bytes) -> str:
    """What somebody sends who has read the public key: PyJWT itself refuses to sign so."""
    import base64
    import hashlib
    import hmac

    def part(content: Any) -> bytes:
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    plain = claims() | {"exp": int(claims()["exp"].timestamp())}
    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + b"." + part(json.dumps(plain).encode())
    return (head + b"." + part(hmac.digest(secret, head, hashlib.sha256))).decode()


def test_the_forged_token_is_as_good_as_a_real_one_otherwise() -> None:
    assert serving().tokens().caller(hs256_with(SECRET.encode())) == Caller(Role.OPERATOR, "o-1")


def key_set(**keys: Any) -> str:
    def public(name: str, key: Any) -> dict[str, Any]:
        algorithm = RSAAlgorithm if key is RSA else ECAlgorithm
        return algorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": name, "use": "sig"}

    return json.dumps({"keys": [public(name, key) for name, key in keys.items()]})


def test_tokens_under_a_key_set_are_known_by_the_key_that_they_name(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(key_set(first=RSA, second=P256))
    tokens = serving(token_secret=None, token_public_key=path).tokens()
    for name, key, algorithm in (("first", RSA, "RS256"), ("second", P256, "ES256")):
        made = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": name})
        assert tokens.caller(made) == Caller(Role.OPERATOR, "o-1")
    for name, key, algorithm in (("second", RSA, "RS256"), ("third", RSA, "RS256"), (None, RSA, "RS256")):
        headers = {"kid": name} if name else {}
        with pytest.raises(Unauthenticated):
            tokens.caller(jwt.encode(claims(), key, algorithm=algorithm, headers=headers))


def test_a_key_set_of_one_key_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(key_set(only=P256))
    tokens = serving(token_secret=None, token_public_key=path).tokens()
    assert tokens.caller(jwt.encode(claims(), P256, algorithm="ES256")) == Caller(Role.OPERATOR, "o-1")


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\xff",
        b"{",
        b"{}",
        b'{"keys": []}',
        b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP384R1())),
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ],
)
def test_a_file_without_a_usable_key_is_refused_at_the_start(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "issuer"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableKey, match="issuer (cannot be read|must hold)"):
        serving(token_secret=None, token_public_key=path).tokens()


@pytest.mark.parametrize(
    "changes",
    [
        {"token_secret": None},
        {"token_secret": "short"},
        {"token_public_key": "/issuer.pem"},
        {"namespaces": ()},
        {"ui_origins": ("*",)},
        {"ui_origins": ("https://ui.example.com/",)},
        {"ui_origins": ("ui.example.com",)},
        {"ui_origins": ("ftp://ui.example.com",)},
        {"max_body_bytes": 0},
        {"requests_per_minute": 0},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        serving(**changes)
    assert SECRET not in str(refused.value)
    assert "short" not in str(refused.value).replace("too_short", "")


def test_a_token_counts_for_so_long_and_no_longer() -> None:
    tokens = serving(longest_token_hours=8).tokens()
    assert tokens.caller(token(life=8 * 60)) == Caller(Role.OPERATOR, "o-1")
    with pytest.raises(Unauthenticated, match="too long: 8 hours at most"):
        tokens.caller(token(life=8 * 60 + 5))


def test_only_on_the_loopback_can_a_user_interface_go_without_a_token() -> None:
    assert serving(open_to_ui=True).open_to_ui
    with pytest.raises(ValidationError, match="on the loopback"):
        serving(open_to_ui=True, host="0.0.0.0")


def test_a_loopback_ui_is_opened_by_its_number_and_by_its_name() -> None:
    assert origins_of("http://127.0.0.1:8233") == ("http://127.0.0.1:8233", "http://localhost:8233")
    assert origins_of("http://localhost:8233/some/page") == ("http://localhost:8233",)
