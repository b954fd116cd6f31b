"""A signed bundle is trusted by its key alone; every other key, and none, gets a sentence."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles import AT, bundle, contents, key_files, keys, members, parts, zipped
from modalloy.bundle.archive import Archive
from modalloy.bundle.manifest import Manifest
from modalloy.bundle.signature import sign, verify
from modalloy.bundle.write import write_bundle
from modalloy.errors import BundleError, JobError


@pytest.mark.parametrize("name", ["model.zip", "model"])
def test_a_signed_bundle(tmp_path: Path, name: str) -> None:
    private, public = keys(tmp_path)
    own = Ed25519PrivateKey.from_private_bytes(
        s.load_pem_private_key(private.read_bytes(), None).private_bytes_raw()
    )
    bundle(tmp_path / name, sign=private)
    found = Archive.open(tmp_path / name, trust=public)
    assert found.trusted
    assert contents(found) == parts()
    loose = Archive.open(tmp_path / name)
    assert (loose.trusted, loose.signed_by) == (False, own.public_key().public_bytes_raw().hex())


def test_openssl_says_the_same(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    bundle(tmp_path / "model", sign=private)
    line = f"openssl pkeyutl -verify -pubin -inkey {public} -rawin".split()
    line += ["-in", str(tmp_path / "model" / "manifest.json")]
    line += ["-sigfile", str(tmp_path / "model" / "manifest.sig")]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert "Signature Verified Successfully" in done.stdout, done.stderr


def test_an_unsigned_bundle_and_another_key(tmp_path: Path) -> None:
    private, _ = keys(tmp_path)
    _, other = keys(tmp_path, "other")
    bundle(tmp_path / "plain.zip")
    with pytest.raises(BundleError, match=r"is not signed, and .*other.pub demands a signature"):
        Archive.open(tmp_path / "plain.zip", trust=other)
    bundle(tmp_path / "signed.zip", sign=private)
    with pytest.raises(BundleError, match=r"is signed with another key .* than .*other.pub"):
        Archive.open(tmp_path / "signed.zip", trust=other)


def changed(path: Path, change: dict[str, bytes | None]) -> Path:
    files = members(path / "whole.zip") | change
    kept = {name: data for name, data in files.items() if data is not None}
    (path / "model.zip").write_bytes(zipped(kept))
    return path / "model.zip"


def test_a_manifest_that_was_changed_afterwards(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    whole = bundle(tmp_path / "whole.zip", sign=private).manifest
    data = parts()["readers.json"].replace(b"1.5", b"9.5")
    sha256 = {**whole.sha256, "readers.json": hashlib.sha256(data).hexdigest()}
    for told in (
        Manifest(sha256, whole.sizes, whole.created, whole.notes, signed_by=whole.signed_by),
        Manifest(whole.sha256, whole.sizes, whole.created, {}, signed_by=whole.signed_by),
    ):
        path = changed(tmp_path, {"manifest.json": told.to_json(), "readers.json": data})
        if told.sha256 == sha256:
            assert Archive.open(path).read("readers.json") == data
        with pytest.raises(BundleError, match="its manifest was changed afterwards; do not use it"):
            Archive.open(path, trust=public)


def test_a_signature_that_was_taken_off_or_exchanged(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    whole = bundle(tmp_path / "whole.zip", sign=private).manifest
    for trust in (None, public):
        for signature in (None, b"x" * 63):
            with pytest.raises(BundleError, match=r"its manifest.sig is missing or damaged"):
                Archive.open(changed(tmp_path, {"manifest.sig": signature}), trust=trust)
    path = changed(tmp_path, {"manifest.sig": bytes(64)})
    assert not Archive.open(path).trusted
    with pytest.raises(BundleError, match="its signature is not by the key"):
        Archive.open(path, trust=public)
    told = Manifest(whole.sha256, whole.sizes, whole.created, whole.notes)
    path = changed(tmp_path, {"manifest.sig": None, "manifest.json": told.to_json()})
    with pytest.raises(BundleError, match="is not signed"):
        Archive.open(path, trust=public)


def test_another_signers_name_over_our_signature(tmp_path: Path) -> None:
    private, _ = keys(tmp_path)
    _, public = keys(tmp_path, "trusted")
    own = s.load_pem_public_key(public.read_bytes()).public_bytes_raw().hex()
    bundle(tmp_path / "whole.zip", sign=private)
    told = Manifest.from_json(members(tmp_path / "whole.zip")["manifest.json"])
    lied = Manifest(told.sha256, told.sizes, told.created, told.notes, signed_by=own).to_json()
    path = changed(tmp_path, {"manifest.json": lied, "manifest.sig": sign(lied, private)})
    with pytest.raises(BundleError, match="its signature is not by the key"):
        Archive.open(path, trust=public)


def test_sign_and_verify(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    named = s.load_pem_public_key(public.read_bytes()).public_bytes_raw().hex()
    verify(b"{}", sign(b"{}", private), public, claimed=named, where="m.zip")
    with pytest.raises(BundleError, match=r"^m.zip: its signature is not by the key"):
        verify(b"{ }", sign(b"{}", private), public, claimed=named, where="m.zip")


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (rsa.generate_private_key(65537, 2048), "RSA"),
        (ec.generate_private_key(ec.SECP256R1()), "EllipticCurve|EC"),
        (ed448.Ed448PrivateKey.generate(), "Ed448"),
    ],
    ids=["rsa", "ec", "ed448"],
)
def test_keys_of_another_kind(tmp_path: Path, key: object, kind: str) -> None:
    private, public = key_files(key, tmp_path, "other")
    with pytest.raises(BundleError, match=f"holds a key of the kind ({kind}).*Ed25519; make one"):
        bundle(tmp_path / "model.zip", sign=private)
    assert not (tmp_path / "model.zip").exists()
    bundle(tmp_path / "model.zip")
    with pytest.raises(BundleError, match=f"holds a key of the kind ({kind}).*Ed25519; ask for"):
        Archive.open(tmp_path / "model.zip", trust=public)


def test_files_that_hold_another_key_than_asked_for(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    key = Ed25519PrivateKey.generate()
    locked, ssh, text = (tmp_path / n for n in ("locked.pem", "ssh.pem", "text.pem"))
    password = s.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, password))
    form = s.PrivateFormat.OpenSSH
    ssh.write_bytes(key.private_bytes(s.Encoding.PEM, form, s.NoEncryption()))
    text.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    large = tmp_path / "large.pem"
    large.write_bytes(bytes(70_000))
    for path, said in {
        public: "holds a public key, and signing takes the private one",
        locked: "its key has a password",
        ssh: "is no key in PEM form",
        text: "is no key in PEM form",
        large: "is too large for the file of a key",
        tmp_path / "absent.pem": "cannot be read .No such file",
        tmp_path: "cannot be read .Is a directory",
    }.items():
        with pytest.raises(BundleError, match=said):
            bundle(tmp_path / "model.zip", sign=path)
    bundle(tmp_path / "model.zip", sign=private)
    ssh.write_bytes(key.public_key().public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH))
    text.write_text("hello")
    for path, said in {
        private: "holds a private key; keep it to yourself",
        locked: "holds a private key; keep it to yourself",
        ssh: "is no key in PEM form",
        text: "is no key in PEM form",
        tmp_path / "absent.pub": "cannot be read",
    }.items():
        with pytest.raises(BundleError, match=said):
            Archive.open(tmp_path / "model.zip", trust=path)


def test_without_cryptography(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, public = keys(tmp_path)
    bundle(tmp_path / "signed.zip", sign=private)
    monkeypatch.setattr("modalloy.machine.imports.find_spec", lambda name: None)
    assert contents(Archive.open(tmp_path / "signed.zip")) == parts()
    with pytest.raises(JobError, match=r"signature needs .*; run: pip install cryptography$"):
        Archive.open(tmp_path / "signed.zip", trust=public)
    with pytest.raises(JobError, match=r"signing a bundle needs cryptography"):
        write_bundle(tmp_path / "model.zip", {}, {}, sign=private, created=AT)
