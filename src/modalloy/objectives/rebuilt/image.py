"""Pictures: one place a square patch, hidden as an even grey."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.objectives.rebuilt.rebuilt import Patches, Rebuilt, at_hidden
from modalloy.readers.image import ImageReader

SIDE = 8  # patches of a side
POINTS = 4  # of a side that each patch is rebuilt at, each the mean of some pixels
GREY, CONTRAST = 127.0, 64.0  # of pixels from 0 to 255


class RebuiltImage(Rebuilt):
    """Patches of the pictures of one column, in rows from the top."""

    def __init__(self, reader: ImageReader, width: int) -> None:
        super().__init__()
        self.size = -(-reader.pixels // SIDE)
        self.side = -(-reader.pixels // self.size)
        self.most = self.side**2
        self.points = min(POINTS, self.size)
        self.patches = Patches()
        self.guess = nn.Linear(width, reader.channels * self.points**2 + 2)

    def there(self, values: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """All patches of a picture."""
        return present[:, None].expand(-1, self.most)

    def hide(self, values: Mapping[str, Tensor], hidden_BP: Tensor) -> dict[str, Tensor]:
        """Grey patches."""
        pixels = values["pixels"]
        side = pixels.shape[2]
        grid_BSS = hidden_BP.unflatten(1, (self.side, self.side))
        hidden_BHW = grid_BSS.repeat_interleave(self.size, 1).repeat_interleave(self.size, 2)
        hidden_BHW = hidden_BHW[:, :side, :side]
        return {**values, "pixels": pixels.masked_fill(hidden_BHW[:, None], int(GREY))}

    def loss(self, z_BPE: Tensor, values: Mapping[str, Tensor], hidden_BP: Tensor) -> Tensor:
        """(B, P)."""
        x_NF = self.cut(values["pixels"])[hidden_BP]
        guess_NF = self.guess(z_BPE[hidden_BP])
        truth_NGF = self.patches.truth(x_NF.unsqueeze(1))
        return at_hidden(self.patches.cost(guess_NF.unsqueeze(1), truth_NGF), hidden_BP, z_BPE)

    def cut(self, pixels: Tensor) -> Tensor:
        """Each patch at a few points, (B, P, F); behind the edge stands the edge."""
        x_BCHW = (pixels.float() - GREY) / CONTRAST
        beyond = self.side * self.size - x_BCHW.shape[2]
        x_BCHW = F.pad(x_BCHW, (0, beyond, 0, beyond), mode="replicate") if beyond else x_BCHW
        if self.points < self.size:
            x_BCHW = F.adaptive_avg_pool2d(x_BCHW, self.side * self.points)
        return F.unfold(x_BCHW, self.points, stride=self.points).transpose(1, 2)
