"""Features for baselines: the encoders' own pooled vectors, each picture looked at once."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from checkpoints import patchtst, save
from modalloy.answer.torch_engine import pooled_vectors
from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.judge.baselines.embeddings import one_view
from modalloy.model.encoders.audio import AudioEncoder
from modalloy.model.encoders.encoder import Encoder, pool
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.encoders.text import TextEncoder
from modalloy.model.tokens import Batch
from modalloy.model.trunks.image_trunks import view
from modalloy.model.trunks.whisper import moments
from modalloy.readers.audio import AudioReader
from modalloy.readers.image import ImageReader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import TextReader


def features_for_baselines(
    encoder: Encoder, values: dict[str, torch.Tensor], present: list[bool]
) -> np.ndarray:
    """What a baseline gets of a batch of one input."""
    model: Any = SimpleNamespace(encoder={"x": encoder.eval()}.__getitem__)
    with torch.no_grad():
        return pooled_vectors(model, "x", Batch({"x": values}, {"x": torch.tensor(present)}))


@pytest.mark.parametrize("tune", ["full", "frozen"])
def test_pictures_give_the_pooled_vector_of_their_network(tune: str) -> None:
    options = config.Image(encoder="efficientnet_lite0", tune=tune)
    encoder = ImageEncoder(ImageReader("photo", 3, 64, 255.0), options, 8, pretrained=False)
    pixels = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    found = features_for_baselines(encoder, {"pixels": pixels}, [True, False, True])
    with torch.no_grad():
        x = (pixels.float() - encoder.mean_C11) / encoder.std_C11
        own = view(encoder.trunk, x).pooled_BF.numpy()
    assert found.shape == (3, encoder.summarise.in_features)
    assert found[[0, 2]] == pytest.approx(own[[0, 2]], rel=1e-4, abs=1e-5)
    assert np.isnan(found[1]).all()  # a row without a picture says nothing


@pytest.mark.parametrize("tune", ["full", "frozen"])
def test_sounds_give_what_their_summary_starts_from(tune: str) -> None:
    reader = AudioReader("sound", 16_000, 0.5)
    options = config.Audio(encoder="whisper_tiny_en", rate_hz=16_000, seconds=0.5, tune=tune)
    encoder = AudioEncoder(reader, options, 8, pretrained=False)
    values = {"wave": torch.randn(2, 8000) * 0.1, "length": torch.tensor([8000, 5000])}
    found = features_for_baselines(encoder, values, [True, True])
    assert found.shape == (2, encoder.summarise.in_features)
    with torch.no_grad():
        heard = encoder.hear(values["wave"], values["length"])
    if tune == "frozen":
        own = torch.cat([moments(s, heard.mask_BT) for s in heard.states[:-1]], 1)
    else:
        last, mask = heard.states[-1], heard.mask_BT
        most = torch.stack([x[m].amax(0) for x, m in zip(last, mask, strict=True)])
        own = torch.cat([moments(last, mask), most], 1)
    assert found == pytest.approx(own.numpy(), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("tune", ["full", "frozen"])
def test_texts_give_the_mean_state_of_their_pieces(tune: str) -> None:
    options = config.Text(encoder="minilm", tune=tune, max_tokens=8)
    reader = TextReader.fit("note", options, Cells({"note": ["crack seen", "ok"]}))
    encoder = TextEncoder(reader, options, 8, pretrained=False)
    read = reader.read(Cells({"note": ["a long crack was seen", "ok"]}))
    values = {k: torch.from_numpy(v) for k, v in read.values.items()}
    found = features_for_baselines(encoder, values, [True, True])
    with torch.no_grad():
        states = encoder.trunk(
            input_ids=values["ids"].long(), attention_mask=values["mask"]
        ).last_hidden_state
        own = pool(states, values["mask"].bool())
    assert found == pytest.approx(own.numpy(), rel=1e-3, abs=1e-4)


def test_series_give_every_channel_of_a_checkpoint_and_the_fixed_fronts(tmp_path: Path) -> None:
    reader = SeriesReader("s", ("s",), False, 64, None, None, (0.0,) * 12, (1.0,) * 12)
    folder = save(patchtst(layers=1), tmp_path)
    encoder = SeriesEncoder(reader, config.Series(length=64, encoder=folder), 8, pretrained=True)
    fronts, states = torch.randn(2, 5), torch.randn(2, 12, 6)
    found = encoder.pooled_features({"fronts": fronts, "features": states})
    assert torch.equal(found, torch.cat([fronts, states.flatten(1)], 1))


def test_baselines_see_one_view_and_answers_all_of_them() -> None:
    torch.manual_seed(0)
    options = config.Image(encoder="efficientnet_lite0", augment="rotate", all_views=True)
    reader = ImageReader("photo", 3, 64, 255.0)
    encoder = ImageEncoder(reader, options, 8, pretrained=False).eval()
    pixels = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    seen: list[int] = []
    encoder.trunk.register_forward_hook(lambda *_: seen.append(1))
    with torch.no_grad():
        with one_view([encoder]):
            encoder.features({"pixels": pixels})
        assert len(seen) == 1
        encoder.features({"pixels": pixels})
    assert len(seen) == 1 + 8
