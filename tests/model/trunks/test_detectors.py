"""DETR and RT-DETR checkpoints find what transformers finds with them; classes are named anew."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from checkpoints import PICTURES, save
from modalloy.errors import JobError
from modalloy.model.trunks.detectors import build_detector, load_detector
from modalloy.model.trunks.huggingface import load_trunk
from modalloy.model.trunks.image_trunks import view


def folder_of(family: str, folder: Path) -> tuple[str, Any]:
    torch.manual_seed(3)
    whole = PICTURES[family]().eval()
    for p in whole.parameters():  # RT-DETR's class heads begin alike
        p.data += 0.05 * torch.randn_like(p)
    return save(whole, folder), whole


@pytest.mark.parametrize("family", ["detr", "rt_detr"])
@torch.no_grad()
def test_boxes_and_known_classes_are_those_of_transformers(family: str, tmp_path: Path) -> None:
    encoder, whole = folder_of(family, tmp_path)
    known = list(whole.config.id2label.values())
    # RT-DETR's queries begin where any class is likely, so that a new class moves them.
    names = (known[1], "dent", known[0]) if family == "detr" else (known[1], known[0])
    x = torch.randn(2, 3, 64, 64)
    maps = view(load_trunk("image", encoder).module.eval(), x).maps
    said = load_detector(encoder, family, names).eval()(maps)
    expected = whole(pixel_values=x, pixel_mask=torch.ones(2, 64, 64))
    logits, boxes = said[-1]
    torch.testing.assert_close(boxes, expected.pred_boxes, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(logits[..., 0], expected.logits[..., 1], atol=1e-4, rtol=1e-4)
    last = logits[..., names.index(known[0])]
    torch.testing.assert_close(last, expected.logits[..., 0], atol=1e-4, rtol=1e-4)
    nothing = expected.logits[..., -1] if family == "detr" else torch.zeros_like(last)
    torch.testing.assert_close(logits[..., -1], nothing, atol=1e-4, rtol=1e-4)
    layers = whole.config.decoder_layers + (family == "rt_detr")
    assert len(said) == layers


@pytest.mark.parametrize("family", ["detr", "rt_detr"])
def test_it_is_built_again_from_what_a_run_keeps_and_learns(family: str, tmp_path: Path) -> None:
    encoder, _ = folder_of(family, tmp_path)
    trunk = load_trunk("image", encoder)
    assert trunk.config is not None
    first = load_detector(encoder, family, ("dent",)).eval()
    second = build_detector(trunk.config, ("dent",)).eval()
    second.load_state_dict(first.state_dict())
    maps = view(trunk.module.eval(), torch.randn(1, 3, 64, 64)).maps
    one, other = first(maps)[-1], second(maps)[-1]
    torch.testing.assert_close(one, other)
    first.train()
    said = first(maps)
    torch.stack([x.sum() for pair in said for x in pair]).sum().backward()
    without = [n for n, p in first.named_parameters() if p.grad is None]
    assert not without, without


def test_fewer_queries_are_taken_and_more_refused(tmp_path: Path) -> None:
    encoder, _ = folder_of("detr", tmp_path)
    maps = view(load_trunk("image", encoder).module.eval(), torch.randn(1, 3, 64, 64)).maps
    detector = load_detector(encoder, "detr", ("dent",)).eval()
    whole: Tensor = detector(maps)[-1][1]
    detector.take_queries(2, "defects")
    assert detector(maps)[-1][1].shape == (1, 2, 4)
    assert whole.shape == (1, 3, 4)
    with pytest.raises(
        JobError, match=r"tasks.defects.queries: the checkpoint has 2 queries, not 9"
    ):
        detector.take_queries(9, "defects")
    encoder, _ = folder_of("rt_detr", tmp_path / "rt")
    detector = load_detector(encoder, "rt_detr", ("dent",)).eval()
    detector.take_queries(9, "defects")
    maps = view(load_trunk("image", encoder).module.eval(), torch.randn(1, 3, 64, 64)).maps
    assert detector(maps)[-1][1].shape == (1, 9, 4)


def test_a_folder_with_an_encoder_alone_is_refused(tmp_path: Path) -> None:
    encoder = save(PICTURES["detr"]().model, tmp_path)
    with pytest.raises(JobError, match="the folder holds no boxes to go on from"):
        load_detector(encoder, "detr", ("dent",))


def test_classes_are_known_by_their_numbers_however_the_file_sorts_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = PICTURES["detr"]().eval()
    head = whole.class_labels_classifier
    whole.class_labels_classifier = nn.Linear(head.in_features, 13)
    whole.config.id2label = {i: f"n{i}" for i in range(12)}
    whole.config.label2id = {f"n{i}": i for i in range(12)}
    encoder = save(whole, tmp_path)
    path = next(tmp_path.rglob("config.json"))
    told = json.loads(path.read_text())
    told["id2label"] = dict(sorted(told["id2label"].items()))  # "0", "1", "10", "11", "2"
    path.write_text(json.dumps(told))
    own = load_detector(encoder, "detr", ("n10", "n2", "n5")).net.class_labels_classifier
    wanted = whole.class_labels_classifier.weight[[10, 2, 5, 12]]
    torch.testing.assert_close(own.weight, wanted)


def test_more_queries_than_cells_are_refused(tmp_path: Path) -> None:
    encoder, _ = folder_of("rt_detr", tmp_path)
    detector = load_detector(encoder, "rt_detr", ("dent",))
    strides = detector.net.config.feat_strides
    cells = sum((96 // s) ** 2 for s in strides)
    detector.refuse_few_cells(cells, 96, "defects")
    with pytest.raises(
        JobError, match=f"defects.queries: pictures of 96 pixels have {cells} cells"
    ):
        detector.refuse_few_cells(cells + 1, 96, "defects")
