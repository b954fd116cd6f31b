"""A key in, small bundles with every form of part out; files that are no bundles, and keys."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.bundle.archive import Archive
from modalloy.bundle.write import write_bundle
from modalloy.errors import BundleError

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
NOTES = {"run": "press-7", "rows": 64, "bound": 0.25, "tasks": ["fault"]}
XML = (
    b'<?xml version="1.0"?>\n<net name="g" version="11"><layers>'
    b'<layer id="0" name="w" type="Const" version="opset1">'
    b'<data element_type="f32" shape="2, 2" offset="4" size="16"/></layer></layers></net>'
)


@cache
def onnx_bytes() -> bytes:
    """A graph that adds a constant."""
    from onnx import TensorProto, helper, numpy_helper

    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["rows", 2]) for n in "xy")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [x],
        [y],
        [numpy_helper.from_array(np.ones(2, np.float32), "w")],
    )
    return helper.make_model(graph).SerializeToString()


@cache
def parts() -> dict[str, bytes]:
    """One part of each form that is looked at, and one of none."""
    from safetensors.numpy import save

    return {
        "graphs/add.onnx": onnx_bytes(),
        "graphs/add.xml": XML,
        "graphs/add.bin": bytes(range(20)),
        "weights.safetensors": save({"a": np.ones((2, 3), np.float32), "b": np.arange(3)}),
        "readers.json": b'{"load": {"mean": 1.5, "names": ["a", "b"]}}',
        "pieces.txt": b"crack\nweld\n",
    }


def bundle(path: Path, *, sign: Path | None = None) -> Archive:
    """A bundle of these parts."""
    return write_bundle(path, parts(), NOTES, sign=sign, created=AT)


def contents(archive: Archive) -> dict[str, bytes]:
    """All that lies in it."""
    return {name: archive.read(name) for name in archive.names}


def refusal(call: Callable[[], Any]) -> str:
    """What a BundleError of this call says; empty where there is none."""
    try:
        call()
    except BundleError as error:
        return str(error)
    return ""


def members(path: Path) -> dict[str, bytes]:
    """What lies in a zip file, the manifest with the rest."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file as Python's own library writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in files.items():
            file.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def patched(data: bytes, sign: bytes, nth: int, offset: int, form: str, value: int) -> bytes:
    """A zip file with one number of its nth record of this kind set to another value."""
    at = -1
    for _ in range(nth + 1):
        at = data.index(sign, at + 1)
    changed = bytearray(data)
    struct.pack_into(form, changed, at + offset, value)
    return bytes(changed)


def keys(folder: Path, name: str = "key") -> tuple[Path, Path]:
    """A new pair: `key.pem` to sign with, `key.pub` to trust."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return key_files(Ed25519PrivateKey.generate(), folder, name)


def key_files(key: object, folder: Path, name: str) -> tuple[Path, Path]:
    """Any private key as a pair of PEM files."""
    from cryptography.hazmat.primitives import serialization as s

    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    pem = s.Encoding.PEM
    private.write_bytes(key.private_bytes(pem, s.PrivateFormat.PKCS8, s.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(pem, s.PublicFormat.SubjectPublicKeyInfo))
    return private, public
