"""TLS between sites and their server: certificates made for a laptop or a test, and what is wrong
with one.
"""

import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from modalloy.errors import FederationError
from modalloy.machine.files import write_private

DAYS = 825  # how long a certificate made here holds
CONNECT_S = 5.0
HERE = ("localhost", "127.0.0.1", "::1")


class Certificates(NamedTuple):
    """Files of PEM. ca: what sites are given; server, key: the server's alone."""

    ca: Path
    server: Path
    key: Path


def certificates(folder: Path, host: str) -> Certificates:
    """The certificates in a folder, `ca.pem`, `server.pem` and `server.key`; made where none is.

    host: what sites call the server by. FederationError where only some of the three are there.
    """
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    absent = [each.name for each in files if not each.exists()]
    if absent and len(absent) < len(files):
        raise FederationError(
            f"{folder}: {' and '.join(absent)} missing; a server needs ca.pem, server.pem and "
            "server.key, or an empty folder to make them in."
        )
    if absent:
        _make(files, dict.fromkeys((host, *HERE, socket.gethostname())))
    return files


def reach(address: str, ca: Path, *, timeout_s: float) -> None:
    """Wait until a server answers at an address with a certificate that ca vouches for.

    FederationError where ca is no certificate, vouches for another one, or nobody answers in time.
    """
    host, port = split_address(address)
    try:
        context = ssl.create_default_context(cafile=str(ca))
    except OSError as error:  # ssl.SSLError is one
        raise FederationError(
            f"{ca}: not a certificate in PEM ({error.strerror or error}); give the ca.pem that "
            "the server's operator sent."
        ) from error
    end = time.monotonic() + timeout_s
    while True:
        try:
            with socket.create_connection((host, port), CONNECT_S) as plain:
                context.wrap_socket(plain, server_hostname=host).close()
            return
        except ssl.SSLCertVerificationError as error:
            raise FederationError(
                f"{ca} does not vouch for the server at {address} ({error.verify_message}); ask "
                "its operator for the ca.pem that belongs to this address."
            ) from error
        except ssl.SSLError as error:
            raise FederationError(
                f"{address} does not speak TLS ({error.reason}); is it the server's address?"
            ) from error
        except OSError as error:
            if time.monotonic() >= end:
                why = error.strerror or error
                raise FederationError(
                    f"no server answers at {address} after {timeout_s:g} s ({why}); is `modalloy "
                    "federate` running, and may this machine reach it?"
                ) from error
        time.sleep(0.2)


def make_site_key(path: Path) -> Path:
    """A site's private key at path, and its public one beside it, which the server is given.

    The public key's path: path with the ending `.pub`. An existing key is kept.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = path.with_suffix(".pub")
    if not (path.exists() and public.exists()):
        key = ec.generate_private_key(ec.SECP384R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        write_private(path, private)
        public.write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
            )
        )
    return public


def split_address(address: str) -> tuple[str, int]:
    """HOST:PORT as its two parts; FederationError where it is neither."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise FederationError(f"{address} is no address; write HOST:PORT, as plant.example:9092")
    return host, int(port)


def _make(files: Certificates, hosts: Iterable[str]) -> None:
    """A new authority, and the server's certificate by it. The authority's own key is not kept."""
    from cryptography.hazmat.primitives.asymmetric import ec

    files.ca.parent.mkdir(parents=True, exist_ok=True)
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    write_private(files.key, _private(server))
    files.server.write_bytes(_signed("server", server, authority, list(hosts)))
    files.ca.write_bytes(_signed("authority", authority, authority, None))


def _signed(name: str, owner, authority, hosts: list[str] | None) -> bytes:
    """A certificate in PEM. hosts: of a server; None for the authority's own."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"modalloy {text}")])

    now = datetime.datetime.now(datetime.UTC)
    whose, signing = owner.public_key(), authority.public_key()
    own = x509.SubjectKeyIdentifier.from_public_key(whose)
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("authority"))
        .public_key(whose)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=hosts is None, path_length=None), critical=True)
        .add_extension(own, critical=False)
        .add_extension(by, critical=False)
        .add_extension(_usage(hosts is None), critical=True)
    )
    if hosts is not None:
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _usage(authority: bool):
    """What a certificate's key may be used for: to sign others, or to prove who a server is."""
    from cryptography import x509

    off = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **off
    )


def _alternative(host: str):
    """A host as a certificate names it: an address, or a name."""
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(key) -> bytes:
    """A private key in PEM, not encrypted: a server starts without anybody at its keyboard."""
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
