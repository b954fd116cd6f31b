"""Graphs of OpenVINO: its own pass, and what reaches beyond the weights or declares is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import XML, onnx_bytes, refusal
from modalloy.bundle.ir_file import refuse_ir
from modalloy.errors import BundleError

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><net>&j;</net>"
)


def graph(data: bytes, kind: bytes = b"Const") -> bytes:
    return b'<net><layers><layer type="%b">%b</layer></layers></net>' % (kind, data)


def test_graphs_that_openvino_writes(tmp_path: Path) -> None:
    ov = pytest.importorskip("openvino")
    (tmp_path / "g.onnx").write_bytes(onnx_bytes())
    ov.save_model(ov.convert_model(tmp_path / "g.onnx"), tmp_path / "g.xml")
    x = ov.opset13.parameter([-1, 4], np.float32, name="x")
    w = ov.opset13.constant(np.ones((4, 3), np.float32))
    flags = ov.opset13.constant(np.array([True, False, True]))
    y = ov.opset13.select(flags, ov.opset13.matmul(x, w, False, False), np.float32(0))
    ov.save_model(ov.Model([y], [x]), tmp_path / "h.xml", compress_to_fp16=False)
    for name in "gh":
        data, size = (
            (tmp_path / f"{name}.xml").read_bytes(),
            (tmp_path / f"{name}.bin").stat().st_size,
        )
        refuse_ir(data, size, "g.xml")
        with pytest.raises(BundleError, match=r"^g.xml: a constant takes \d+ bytes"):
            refuse_ir(data, size - 1, "g.xml")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BOMB, "declares entities"),
        (b'<!DOCTYPE net SYSTEM "file:///etc/passwd"><net/>', "declares entities"),
        (b"<net><!-- <!doctype x> --></net>", "declares entities"),
        (b"\xef\xbb\xbf<!DOCTYPE net><net/>", "declares entities"),
        ('<?xml version="1.0" encoding="utf-16"?><net/>'.encode("utf-16"), "another encoding"),
        ("<net/>".encode("utf-16-le"), "another encoding"),
        (b"", "cannot be read as XML"),
        (b"<net>", "cannot be read as XML"),
        (b"<net>&lol;</net>", "cannot be read as XML"),
        (b"<net/><net/>", "cannot be read as XML"),
        (b"<net a='1' a='2'/>", "cannot be read as XML"),
        (b"<html/>", "is no graph of OpenVINO: it begins with <html>"),
        (graph(b'<data offset="5" size="16"/>'), "takes 16 bytes from 5 on, .* have 20"),
        (graph(b'<data offset="0" size="21"/>', b"Constant"), "takes 21 bytes from 0 on"),
        (graph(b'<data offset="-4" size="8"/>'), "no offset and size in whole bytes"),
        (graph(b'<data offset="0x4" size="8"/>'), "no offset and size in whole bytes"),
        (graph(b'<data offset="4" size=""/>'), "no offset and size in whole bytes"),
        (graph('<data offset="٤" size="8"/>'.encode()), "no offset and size in whole bytes"),
        (graph(b'<data offset="18446744073709551612" size="8"/>'), "no offset and size"),
        (
            graph(b'<data offset="0" size="8" element_type="f32" shape="3"/>'),
            "another size than its shape and type",
        ),
        (
            graph(b'<data offset="0" size="8" element_type="f32" shape="-1,2"/>'),
            "no shape in whole numbers",
        ),
        (b"<net>" * 201, "too deep in one another"),
    ],
)
def test_refusals(data: bytes, said: str) -> None:
    with pytest.raises(BundleError, match=said) as caught:
        refuse_ir(data, 20, "g.xml")
    assert str(caught.value).startswith("g.xml: ")


def test_attributes_of_the_same_names_that_are_of_other_operations() -> None:
    refuse_ir(graph(b'<data offset="0.5" step="16"/>', b"PriorBox"), 0, "g.xml")
    refuse_ir(graph(b'<data size="5" alpha="1"/>', b"LRN"), 0, "g.xml")
    refuse_ir(graph(b'<data offset="0" size="2" element_type="u4" shape="3"/>'), 2, "g.xml")
    refuse_ir(graph(b'<data offset="0" size="4" element_type="f32" shape=""/>'), 4, "g.xml")
    refuse_ir(graph(b'<data offset="0" size="7" element_type="string" shape="2"/>'), 7, "g.xml")


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_ir(XML, 20, "g.xml")
    monkeypatch.setattr("modalloy.bundle.ir_file.MOST", 3)
    with pytest.raises(BundleError, match="too many elements"):
        refuse_ir(XML, 20, "g.xml")
    monkeypatch.setattr("modalloy.bundle.ir_file.LARGEST", 9)
    with pytest.raises(BundleError, match="bytes; at most 9 are read"):
        refuse_ir(XML, 20, "g.xml")


@given(st.integers(0, len(XML) - 1), st.binary(max_size=4))
def test_any_change_is_read_or_refused(at: int, put: bytes) -> None:
    data = XML[:at] + put + XML[at + len(put) :]
    said = refusal(lambda: refuse_ir(data, 20, "g.xml"))
    assert said.startswith("g.xml: ") or (not said and data.count(b"<net") == 1)
