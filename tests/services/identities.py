"""Who knocks at a guarded broker: an authority of our own, the broker's certificate, a client's, users with passwords.

Comes in: a folder. Goes out: PEM files in it, as Kafka and librdkafka take them.
"""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

MECHANISM = "SCRAM-SHA-512"
USERS = {
    name: f"{name}-pass-W0rd" for name in ("worker", "topics", "pim", "submit", "reader", "operator", "poor", "nobody")
}
"""Their passwords. What each may do, access lists say; nothing without them."""
KEY_PASSWORD = "the-keys-pass-W0rd"


class Identities:
    """The files: `ca` is what clients trust, `stranger_ca` signed nobody here."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.stranger_ca = folder / "ca.pem", folder / "stranger-ca.pem"
        self.broker = folder / "broker.pem"
        self.client_certificate, self.client_key = folder / "client.pem", folder / "client.key"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        trustme.CA().cert_pem.write_to_path(self.stranger_ca)
        served = authority.issue_cert("127.0.0.1")
        chain = b"".join(part.bytes() for part in served.cert_chain_pems)
        self.broker.write_bytes(_pkcs8(served.private_key_pem.bytes(), NoEncryption()) + chain)
        client = authority.issue_cert("worker@example.com")
        self.client_certificate.write_bytes(b"".join(part.bytes() for part in client.cert_chain_pems))
        locked = BestAvailableEncryption(KEY_PASSWORD.encode())
        self.client_key.write_bytes(_pkcs8(client.private_key_pem.bytes(), locked))

    def options(self, user: str, password: str | None = None) -> dict[str, str]:
        """Options for librdkafka of `user`."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": MECHANISM,
            "sasl.username": user,
            "sasl.password": USERS[user] if password is None else password,
            "ssl.ca.location": str(self.ca),
        }


def _pkcs8(key: bytes, encryption: KeySerializationEncryption) -> bytes:
    """The only form that Kafka reads."""
    return load_pem_private_key(key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
