"""CLIP and SigLIP through columns of a job: vectors are those of transformers' own model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers

from checkpoints import DUALS, clip_alone, dual, save
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.body import Body
from modalloy.model.space import Space
from modalloy.model.tokens import Batch
from modalloy.objectives.contrast import Contrast
from spaces import columns_of


def columns(place: str, tune: str) -> dict[str, dict[str, Any]]:
    """A picture and a note that both towers of a checkpoint read."""
    return {
        "photo": {"type": "image", "encoder": place, "pixels": 16, "tune": tune, "augment": "none"},
        "note": {"type": "text", "encoder": place, "max_tokens": 24, "tune": tune},
        "load": {"type": "number"},
    }


def pooled(found: Any) -> torch.Tensor:
    """Features as this version of transformers hands them over."""
    return found if isinstance(found, torch.Tensor) else found.pooler_output


@torch.no_grad()
@pytest.mark.parametrize("family", DUALS)
@pytest.mark.parametrize("tune", ["frozen", "full"])
def test_vectors_are_those_of_the_whole_model(
    small_table: Path, tmp_path: Path, family: str, tune: str
) -> None:
    place = dual(tmp_path / family, family)
    loader = columns_of(small_table, columns(place, tune))
    body = Body(loader.job, loader.readers, pretrained=True).eval()
    space = Contrast(body, config.Contrast(loss="sigmoid" if family == "siglip" else "infonce"))
    space = space.eval().space
    batch = Batch.of(loader.batch(np.arange(9)))
    seen = space.see(body, batch)
    z = space.project(seen)
    model_class = {"clip": transformers.CLIPModel, "siglip": transformers.SiglipModel}[family]
    model = model_class.from_pretrained(place.removeprefix("hf:")).eval()
    encoder = body.encoder("photo")
    pixels = batch.values["photo"]["pixels"].expand(-1, 3, -1, -1)
    pixels = (pixels - encoder.mean_C11) / encoder.std_C11
    picture = F.normalize(pooled(model.get_image_features(pixel_values=pixels)), dim=1)
    rows = batch.present["photo"]
    torch.testing.assert_close(z["photo"][rows], picture[rows], atol=1e-5, rtol=1e-4)
    ids, mask = batch.values["note"]["ids"], batch.values["note"]["mask"]
    if family == "siglip":  # texts are filled up to one length
        ids = F.pad(torch.where(mask, ids, 0), (0, 24 - ids.shape[1]))
        text = pooled(model.get_text_features(input_ids=ids))
    else:
        text = pooled(model.get_text_features(input_ids=ids, attention_mask=mask.long()))
    rows = batch.present["note"]
    text = F.normalize(text, dim=1)
    torch.testing.assert_close(z["note"][rows], text[rows], atol=1e-5, rtol=1e-4)
    assert z["table"].shape == z["note"].shape
    torch.testing.assert_close(space.log_scale, model.logit_scale.reshape(()))
    if family == "siglip":
        torch.testing.assert_close(space.bias, model.logit_bias.reshape(()))
    again = Space.from_bytes(space.to_bytes())
    assert torch.equal(again.project(seen)["note"], z["note"])


def test_both_towers_learn_by_the_contrast(small_table: Path, tmp_path: Path) -> None:
    place = dual(tmp_path / "clip", "clip")
    loader = columns_of(small_table, columns(place, "full"))
    body = Body(loader.job, loader.readers, pretrained=True)
    contrast, batch = Contrast(body, config.Contrast()), Batch.of(loader.batch(np.arange(16)))
    contrast(body, batch)["contrast/photo~note"].backward()
    for name in ("photo", "note"):
        grads = [p.grad for p in body.encoder(name).trunk.parameters() if p.grad is not None]
        assert sum(float(g.abs().sum()) for g in grads) > 0
        assert contrast.space.heads[name].out.weight.grad.abs().sum() > 0
    assert contrast.space.log_scale.grad.abs() > 0


def test_projections_are_new_where_asked_for(small_table: Path, tmp_path: Path) -> None:
    place = dual(tmp_path / "clip", "clip")
    loader = columns_of(small_table, columns(place, "frozen"))
    body = Body(loader.job, loader.readers, pretrained=True)
    new = Contrast(body, config.Contrast(projections="new", size=6)).space
    assert new.size == 6
    assert not new.heads["note"].plan.own
    with pytest.raises(JobError, match=r"contrast.size: 6, while a checkpoint projects"):
        Contrast(body, config.Contrast(size=6))
    own = Contrast(body, config.Contrast()).space
    assert own.size == 12
    assert own.heads["note"].plan.own
    assert not own.heads["table"].plan.own
    set_by_hand = Contrast(body, config.Contrast(temperature=0.5)).space
    assert set_by_hand.scale.item() == pytest.approx(2.0)


def test_one_tower_alone_has_no_projection(small_table: Path, tmp_path: Path) -> None:
    place = dual(tmp_path / "clip", "clip")
    alone = save(clip_alone(), tmp_path / "alone")
    given = columns(place, "frozen")
    given["photo"]["encoder"] = alone
    loader = columns_of(small_table, given)
    body = Body(loader.job, loader.readers, pretrained=True)
    with pytest.raises(JobError, match=r"is one tower \(clip_vision_model\)"):
        Contrast(body, config.Contrast())


def test_a_row_alone_is_as_in_its_batch(small_table: Path, tmp_path: Path) -> None:
    for family in DUALS:
        place = dual(tmp_path / family, family)
        loader = columns_of(small_table, columns(place, "frozen"))
        body = Body(loader.job, loader.readers, pretrained=True).eval()
        space = Contrast(body, config.Contrast()).space.eval()
        with torch.no_grad():
            z = space.project(space.see(body, Batch.of(loader.batch(np.arange(6)))))["note"]
            one = space.project(space.see(body, Batch.of(loader.batch(np.array([5])))))["note"]
        torch.testing.assert_close(one[0], z[5], atol=1e-5, rtol=1e-4)
