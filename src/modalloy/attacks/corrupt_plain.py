"""What befalls plain cells, lists and texts: noise, gain, offset, clipping, loss, late clocks."""

from collections.abc import Mapping

import torch
from torch import Tensor

from modalloy.attacks.budget import Budget
from modalloy.attacks.corrupt_pictures import coin, normal
from modalloy.attacks.valid_plain import Amount, Moment, put_column
from modalloy.readers.build import TABULAR
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.time import TimeReader

NOISE = (0.1, 0.2, 0.4, 0.7, 1.0)  # robust deviations
GAIN = (0.95, 0.9, 0.8, 0.65, 0.5)  # and one over it, by chance
OFFSET = (0.2, 0.5, 1.0, 1.5, 2.5)  # robust deviations, either way
CLIPPING = (2.0, 1.5, 1.0, 0.7, 0.4)  # robust deviations from the median
LOST = (0.05, 0.1, 0.2, 0.35, 0.5)  # chance that a cell, an entry or a piece is missing
WRONG = (0.02, 0.05, 0.1, 0.2, 0.35)  # chance that another known name stands in a category's cell
LATE_DAYS = (1 / 24, 0.25, 1.0, 7.0, 30.0)  # a clock that is wrong, either way
SKEW_DAYS = (0.01, 0.1, 0.5, 2.0, 10.0)  # a clock that drifts: normal errors of this deviation


def corrupt_cell(
    values: dict[str, Tensor],
    present_BN: Tensor,
    readers: Mapping[str, Reader],
    name: str,
    kind: str,
    severity: int,
    draw: torch.Generator,
) -> Tensor:
    """Write a plain column after one of them into values; which cells are there from now on."""
    kinds = [[r.name for r in readers.values() if r.kind == k] for k in TABULAR]
    place = [n for names in kinds for n in names].index(name)
    reader, rows = readers[name], len(present_BN)
    own = next(names.index(name) for names in kinds if name in names)
    here_B = present_BN[:, place]
    if kind == "dropout":
        lost_B = (torch.rand(rows, generator=draw) < LOST[severity - 1]).to(here_B.device)
        kept_BN = present_BN.clone()
        kept_BN[:, place] = here_B & ~lost_B
        return kept_BN
    match reader:
        case NumberReader():
            y_B = values["number"][:, own]
            moved_B = corrupt_number(y_B, here_B, reader, kind, severity, draw)
            put_column(values, "number", own, torch.where(here_B, moved_B, y_B))
        case CategoryReader():
            x_B = values["category"][:, own]
            other_B = torch.randint(1, len(reader.names) + 1, (rows,), generator=draw)
            wrong_B = torch.rand(rows, generator=draw) < WRONG[severity - 1]
            wrong_B = wrong_B.to(here_B.device) & here_B
            put_column(values, "category", own, torch.where(wrong_B, other_B.to(x_B), x_B))
        case TimeReader():
            corrupt_time(values, here_B, reader, own, kind, severity, draw)
        case _:
            raise AssertionError(f"{reader.kind} is no plain column")
    return present_BN


def corrupt_number(
    y_B: Tensor,
    here_B: Tensor,
    reader: NumberReader,
    kind: str,
    severity: int,
    draw: torch.Generator,
) -> Tensor:
    """Squashed numbers after one of them, done to the numbers before they were squashed."""
    at, rows = severity - 1, len(y_B)
    amount = Amount(Budget(reader.name, 1.0, "unit"), y_B, here_B, reader, 0)
    deviation = Amount(Budget(reader.name, 1.0, "sd"), y_B, here_B, reader, 0)
    z_B = deviation.x_B
    match kind:
        case "noise":
            return deviation.read(z_B + NOISE[at] * normal((rows,), draw).to(z_B)).to(y_B)
        case "offset":
            side_B = coin(rows, draw).to(z_B) * 2 - 1
            return deviation.read(z_B + OFFSET[at] * side_B).to(y_B)
        case "clipping":
            return deviation.read(z_B.clamp(-CLIPPING[at], CLIPPING[at])).to(y_B)
        case "gain":
            gain_B = torch.where(coin(rows, draw), 1 / GAIN[at], GAIN[at]).to(z_B)
            return amount.read(amount.x_B * gain_B).to(y_B)
        case _:
            raise AssertionError(f"{kind} befalls no number")


def corrupt_time(
    values: dict[str, Tensor],
    here_B: Tensor,
    reader: TimeReader,
    place: int,
    kind: str,
    severity: int,
    draw: torch.Generator,
) -> None:
    """Write dates of a clock that is wrong (`offset`) or drifts (`clock_skew`) into values."""
    moment = Moment(Budget(reader.name, 1.0, "d"), values["time"][:, place], here_B, reader, place)
    rows = len(here_B)
    if kind == "offset":
        days_B = LATE_DAYS[severity - 1] * (coin(rows, draw).float() * 2 - 1)
    else:
        days_B = SKEW_DAYS[severity - 1] * normal((rows,), draw)
    days_B = torch.where(here_B, days_B.to(here_B.device), 0.0)
    moment.put({"table": values}, days_B[:, None], handed=True)


def corrupt_list(x_BF: Tensor, kind: str, severity: int, draw: torch.Generator) -> Tensor:
    """Standardised entries after one of them."""
    at, rows = severity - 1, len(x_BF)
    match kind:
        case "noise":
            return x_BF + NOISE[at] * normal(x_BF.shape, draw).to(x_BF)
        case "offset":
            side_B1 = coin(rows, draw)[:, None].to(x_BF) * 2 - 1
            return x_BF + OFFSET[at] * side_B1
        case "clipping":
            return x_BF.clamp(-CLIPPING[at], CLIPPING[at])
        case "gain":
            gain_B1 = torch.where(coin(rows, draw), 1 / GAIN[at], GAIN[at])[:, None].to(x_BF)
            return x_BF * gain_B1
        case "dropout":
            lost = torch.rand(x_BF.shape, generator=draw) < LOST[at]
            return x_BF.masked_fill(lost.to(x_BF.device), 0.0)
        case _:
            raise AssertionError(f"{kind} befalls no list")


def drop_pieces(mask_BL: Tensor, severity: int, draw: torch.Generator) -> Tensor:
    """Pieces of a text that are lost; the first stays, so that a text never becomes none."""
    lost_BL = (torch.rand(mask_BL.shape, generator=draw) < LOST[severity - 1]).to(mask_BL.device)
    lost_BL[:, :1] = False
    return mask_BL & ~lost_BL
