"""A way to the tests' Temporal server that only a certificate opens, as a gate of mutual TLS in front of one."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Who signs certificates, for the gate and for whoever passes it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("authority")
        self.certificate = self._signed(self._name, self._key.public_key(), authority=True)

    def issue(self, name: str, certificate: Path, key: Path) -> None:
        """A certificate for ``name``, which is also valid for a server at localhost."""
        own = ec.generate_private_key(ec.SECP256R1())
        certificate.write_bytes(self._signed(_named(name), own.public_key()))
        key.write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool = False) -> bytes:
        now = datetime.now(UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return built.public_bytes(serialization.Encoding.PEM)


class Gate:
    """Connections that came through, by the name in their certificates."""

    def __init__(self, target: str) -> None:
        self.passed = Counter[str]()
        self.port = 0
        self._host, _, port = target.rpartition(":")
        self._target_port = int(port)
        self._expired: set[str] = set()
        self._open: dict[asyncio.StreamWriter, str] = {}

    def expire(self, name: str) -> None:
        """Nobody passes under this name any more, and who has is thrown out."""
        self._expired.add(name)
        for writer in [each for each, whose in self._open.items() if whose == name]:
            writer.close()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        certificate: dict[str, Any] = writer.get_extra_info("peercert")
        name = str(dict(pair for part in certificate["subject"] for pair in part)["commonName"])
        if name in self._expired:
            writer.close()
            return
        self.passed[name] += 1
        self._open[writer] = name
        inner_reader, inner_writer = await asyncio.open_connection(self._host, self._target_port)
        with suppress(OSError):
            await asyncio.gather(_carry(reader, inner_writer), _carry(inner_reader, writer))
        self._open.pop(writer)


@asynccontextmanager
async def gate_to(target: str, authority: Authority, folder: Path) -> AsyncGenerator[Gate]:
    """A gate to ``target`` (``host:port``) for as long as the context lasts; ``folder`` is for its own certificate."""
    authority.issue("gate", folder / "gate.pem", folder / "gate.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "gate.pem", folder / "gate.key")
    context.load_verify_locations(cadata=authority.certificate.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    gate = Gate(target)
    server = await asyncio.start_server(gate.handle, "localhost", 0, ssl=context)
    gate.port = server.sockets[0].getsockname()[1]
    try:
        yield gate
    finally:
        server.close()
        for name in set(gate.passed):
            gate.expire(name)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    finally:
        writer.close()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
