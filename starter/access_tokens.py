"""Signed tokens (JWT) that say who asks: which ones count, and what they hold."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_REQUIRED: Final = ("exp", "iss", "aud", "sub")
_CLOCKS_DIFFER: Final = timedelta(seconds=10)
# It goes into the log and into records.
_SUBJECT: Final = re.compile(r"[!-~]{1,200}")


class Unauthenticated(Exception):  # noqa: N818 -- named after what happened
    """There is no token, or it is not one that counts here. The text says why, and holds nothing of it."""


class NotAllowed(Exception):  # noqa: N818
    """The token is right, and does not allow this. The text says why."""


class UnusableKey(ValueError):  # noqa: N818
    """A file with public keys cannot be used."""


@dataclass(frozen=True)
class _Checking:
    algorithms: tuple[str, ...]
    keys: tuple[Any, ...]
    by_id: bool = False


class AccessTokens:
    """Knows which tokens count: signature, issuer, audience, expiry; and what they say."""

    def __init__(self, checking: _Checking, issuer: str, audience: str, longest: timedelta) -> None:
        self._checking = checking
        self._issuer = issuer
        self._audience = audience
        self._longest = longest

    @classmethod
    def under_secret(cls, secret: str, issuer: str, audience: str, longest: timedelta) -> Self:
        """Tokens signed with a shared secret (HS256), none for longer than ``longest`` from now on."""
        return cls(_Checking(("HS256",), (secret,)), issuer, audience, longest)

    @classmethod
    def under_public_keys(cls, path: Path, issuer: str, audience: str, longest: timedelta) -> Self:
        """Tokens of whoever holds the private key (RS256, ES256) to a PEM public key or a JSON Web Key Set.

        Raises:
            UnusableKey: the file cannot be read, or holds no RSA or P-256 key.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UnusableKey(f"{path} cannot be read") from None
        checking = _from_key_set(text) if text.lstrip().startswith("{") else _from_pem(text)
        if checking is None:
            raise UnusableKey(f"{path} must hold a PEM public key or a JSON Web Key Set, RSA or P-256")
        return cls(checking, issuer, audience, longest)

    def claims(self, token: str) -> dict[str, Any]:
        """What the token says, once it counts; ``sub`` is who bears it.

        Raises:
            Unauthenticated: it does not count here.
        """
        claims = self._claims(token)
        if not _SUBJECT.fullmatch(str(claims["sub"])):
            raise Unauthenticated("the token's sub must be 1 to 200 printable characters")
        if claims["exp"] > (datetime.now(UTC) + self._longest + _CLOCKS_DIFFER).timestamp():
            hours = int(self._longest / timedelta(hours=1))
            raise Unauthenticated(f"the token counts for too long: {hours} hours at most")
        return claims

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                self._key_of(token),
                algorithms=self._checking.algorithms,
                issuer=self._issuer,
                audience=self._audience,
                leeway=_CLOCKS_DIFFER,
                options={"require": list(_REQUIRED)},
            )
        except jwt.ExpiredSignatureError:
            reason = "the token has expired"
        except jwt.InvalidAudienceError:
            reason = "the token is meant for somebody else (aud)"
        except jwt.InvalidIssuerError:
            reason = "the token is from an issuer that does not count here (iss)"
        except jwt.MissingRequiredClaimError as error:
            reason = f"the token lacks {error.claim}"
        except jwt.PyJWTError:
            reason = "the token is not valid"
        # Not chained: the causes quote the token.
        raise Unauthenticated(reason)

    def _key_of(self, token: str) -> Any:
        if not self._checking.by_id:
            return self._checking.keys[0]
        named = jwt.get_unverified_header(token).get("kid")
        found = [key for key in self._checking.keys if key.key_id == named]
        if not found:
            raise jwt.InvalidTokenError("unknown kid")
        return found[0]


def signed(secret: str, issuer: str, audience: str, *, subject: str, lifetime: timedelta, **claims: str) -> str:
    """A token under a shared secret, from now on for ``lifetime``."""
    now = datetime.now(UTC)
    stated = {"iss": issuer, "aud": audience, "sub": subject, "iat": now, "exp": now + lifetime}
    return jwt.encode(stated | claims, secret, algorithm="HS256")


def _from_pem(text: str) -> _Checking | None:
    try:
        key = load_pem_public_key(text.encode())
    except ValueError:
        return None
    match key:
        case RSAPublicKey():
            return _Checking(("RS256",), (key,))
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return _Checking(("ES256",), (key,))
        case _:
            return None


def _from_key_set(text: str) -> _Checking | None:
    try:
        keys = jwt.PyJWKSet.from_dict(json.loads(text)).keys
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None
    # A key whose algorithm is another one is passed over: the issuer may use it elsewhere.
    usable = tuple(key for key in keys if key.algorithm_name in {"RS256", "ES256"})
    return _Checking(("RS256", "ES256"), usable, by_id=len(usable) > 1) if usable else None
