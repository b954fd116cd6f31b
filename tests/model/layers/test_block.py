import torch
from torch import nn

from modalloy.model.layers.block import Block, Residual, sinusoids


def copy_into_reference(block: Block, width: int, heads: int) -> nn.TransformerEncoderLayer:
    reference = nn.TransformerEncoderLayer(
        width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
    )
    parts = [block.query, block.key, block.value]
    reference.self_attn.in_proj_weight.data = torch.cat([p.weight.data for p in parts])
    reference.self_attn.in_proj_bias.data = torch.cat([p.bias.data for p in parts])
    reference.self_attn.out_proj.load_state_dict(block.out.state_dict())
    reference.linear1.load_state_dict(block.up.state_dict())
    reference.linear2.load_state_dict(block.down.state_dict())
    reference.norm1.load_state_dict(block.norm_attention.state_dict())
    reference.norm2.load_state_dict(block.norm_mlp.state_dict())
    return reference


def test_block_agrees_with_torch() -> None:
    torch.manual_seed(0)
    block = Block(16, 4).train()
    reference = copy_into_reference(block, 16, 4).train()  # train: no fast path
    x_BTD = torch.randn(3, 5, 16)
    mask_BT = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 1, 0, 1]]).bool()
    expected = reference(x_BTD, src_key_padding_mask=~mask_BT)
    assert torch.allclose(block(x_BTD, mask_BT)[mask_BT], expected[mask_BT], atol=1e-5)


def test_masked_tokens_change_nothing() -> None:
    torch.manual_seed(0)
    block = Block(16, 2).eval()
    x_BTD = torch.randn(2, 6, 16)
    mask_BT = torch.ones(2, 6, dtype=torch.bool)
    mask_BT[:, 4:] = False
    garbage = x_BTD.clone()
    garbage[:, 4:] = 1e3
    assert torch.allclose(block(x_BTD, mask_BT)[:, :4], block(garbage, mask_BT)[:, :4], atol=1e-5)
    assert torch.allclose(block(x_BTD, mask_BT)[:, :4], block(x_BTD[:, :4]), atol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    x_BTD = torch.randn(2, 3, 16)
    for layer in (Block(16, 2, 0.5), Residual(16, 0.5)):
        layer.train()
        assert not torch.equal(layer(x_BTD), layer(x_BTD))
        layer.eval()
        assert torch.equal(layer(x_BTD), layer(x_BTD))


def test_sinusoids_tell_positions_apart() -> None:
    positions_TD = sinusoids(50, 16)
    distances = torch.cdist(positions_TD, positions_TD) + 10 * torch.eye(50)
    assert distances.min() > 0.1
