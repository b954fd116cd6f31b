"""What the user wrote, validated once and frozen: the job and every option it can hold.

Every default stands here, every bound is in the type, and the text under a field is its help.
The job file's reference page is generated from this module.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from modalloy.job.federated import Federate
from modalloy.job.group import Options, Share

STOCK = ("item", "period", "sold")  # columns of `order`, all or none
QUERIES = 50  # of `head: detr`, where neither the job nor a checkpoint says how many
Stretch = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(s|min|h|d|w)$")]
Method = Literal["lora", "rslora", "dora", "pissa", "adalora", "ia3", "vera", "layernorm"]
Tune = Literal["frozen", "full", "last_n", Method]
TuneFusion = Literal["full", Method]
Adapts = Literal["head", "last_n", "full", Method]
Front = Literal[
    "convolution",
    "learned",
    "minirocket",
    "hydra",
    "statistics",
    "recent",
    "spectrum",
    "envelope",
    "order",
]


# --- adapters ----------------------------------------------------------------------------------


class Beside(Options):
    """Small parts that learn beside the layers of a network, while its own weights stay."""

    rank: PositiveInt | None = None
    """Directions in which a layer may change; none means 8 (64 under `vera`), or as many as the
    layer has where these are fewer. Under `adalora` the mean of all layers at the end."""
    alpha: PositiveFloat | None = None
    """How strongly they act: times alpha over the rank, under `rslora` over its root; none means
    twice the rank under `lora`, `dora` and `adalora`, else the rank."""
    layers: Literal["attention", "all"] = "attention"
    """Which layers they stand beside: the queries and values of attention (keys, values and the
    way down under `ia3`), or every linear and convolution layer, which is also what networks
    without attention get."""


class Adapter(Beside):
    """How a finished run is adapted: what of it learns, and how much of that there may be."""

    method: Adapts = "rslora"
    """`head`: what answers alone; `last_n`: the last blocks too; `full`: everything; the others are
    ways of learning beside the layers, see docs/adapters.md."""
    last_n: PositiveInt = 2
    """Number of blocks of each encoder that change under `last_n`, counted from the output."""
    budget_kb: PositiveFloat | None = None
    """Kilobytes (1,000 bytes) that the file may take; ranks then go to the layers and columns whose
    gradients ask for them most. For `lora`, `rslora` and `dora`."""


# --- columns -----------------------------------------------------------------------------------


class Tabular(Options):
    """Options shared by columns whose cells are single values."""

    size: Literal["small", "base"] = "small"
    """Length of the vector that a cell becomes: 12 numbers, or 32."""


class Number(Tabular):
    """A measured quantity; scaled robustly by median and quartiles of the training rows."""

    type: Literal["number"] = "number"
    unit: str | None = None
    """Physical unit, printed beside the column's name in the report."""
    scale: Literal["linear", "log"] = "linear"
    """`log` sees sign(x)*log(1+|x|): for amounts over several magnitudes."""
    embed: Literal["piecewise", "periodic", "linear"] = "piecewise"
    """How the number becomes a vector (Gorishniy et al. 2022, arXiv 2203.05556)."""
    bins: PositiveInt = 24
    """Pieces of the piecewise-linear embedding, or frequencies of the periodic one."""


class Category(Tabular):
    """One of a set of names; a name never seen in training is answered as 'unknown'."""

    type: Literal["category"] = "category"
    min_count: PositiveInt = 2
    """Names with fewer training rows than this share the 'unknown' vector."""
    statistics: Literal["auto", "means", "none"] = "auto"
    """`means` shows beside a name's vector how far the answers of its training rows lie from those
    of all: a training row sees other rows' answers alone. `auto` does so from 20 names on."""


class Time(Tabular):
    """A date or date and time; read as cycles (hour, weekday, year) and a trend that stops at the
    first and last training day."""

    type: Literal["time"] = "time"
    cycles: tuple[Literal["day", "week", "year"], ...] = ("day", "week", "year")
    """Periods whose sine and cosine the model sees."""
    since: str | None = None
    """Another column of dates, such as the order's beside the delivery's: the days since then are
    seen too."""


class Vector(Options):
    """A list of numbers of one fixed length: an embedding, a spectrum, a set of features."""

    type: Literal["vector"] = "vector"


class Trunk(Options):
    """Options shared by columns that an encoder reads."""

    encoder: str = "scratch"
    """`scratch`, a pretrained encoder that installs with pip, or `hf:<folder or hub id>`."""
    size: Literal["small", "base"] = "small"
    """Width and depth of the encoder when it is trained from scratch."""
    tune: Tune = "full"
    """How a pretrained encoder may change: not at all, everything, its last blocks, or by small
    parts beside its layers, which are merged into them in the end (`lora` and its kin, see
    docs/adapters.md). An encoder from scratch can have these where `train.start` gives it weights.
    """
    last_n: PositiveInt = 2
    """Number of blocks that change under `tune: last_n`, counted from the output."""
    adapter: Beside = Beside()
    """What stands beside its layers under `tune: lora` and its kin."""


class Text(Trunk):
    """A sentence or a short document."""

    type: Literal["text"] = "text"
    encoder: Annotated[str, Field(pattern=r"^(scratch|minilm|hf:.+)$")] = "scratch"
    """`scratch`, `minilm` (22.7 M parameters, English) or `hf:<folder>`: BERT and its kin,
    ALBERT, DeBERTa-v2, the text tower of CLIP or SigLIP."""
    max_tokens: Annotated[int, Field(ge=4, le=512)] = 128
    """Longer texts are cut here, counted in word pieces."""
    vocabulary: Annotated[int, Field(ge=64, le=65536)] = 8000
    """Word pieces learned from the training rows when the encoder is `scratch`."""
    from_audio: str | None = None
    """Table column of recordings whose speech is this text; the table then has no column of this
    one's name."""
    transcribe: Literal["whisper_tiny_en"] = "whisper_tiny_en"
    """What turns the recordings of `from_audio` into text (English)."""


class Tokens(Text):
    """A text that is already cut into words (a list of strings); what `tag` tasks read."""

    type: Literal["tokens"] = "tokens"  # pyrefly: ignore[bad-override] the tag of a union


class Image(Trunk):
    """A path to a PNG, JPEG, BMP, WebP, TIFF, GIF, PPM, TGA, PCX or JPEG 2000 picture."""

    type: Literal["image"] = "image"
    encoder: Annotated[str, Field(pattern=r"^(scratch|efficientnet_lite[012]|hf:.+)$")] = "scratch"
    """`scratch`, `efficientnet_lite0`, `_lite1`, `_lite2`, or
    `hf:<ViT, DINOv2, CLIP, SigLIP, DETR or RT-DETR folder>`."""
    pixels: Annotated[int, Field(ge=16, le=1024)] = 160
    """Height and width that the picture is resized to."""
    augment: Literal["none", "shift", "flip", "rotate"] = "shift"
    """What leaves the meaning unchanged: small shifts, scale and light; also mirroring left-right;
    also turning by quarter circles and mirroring both ways. Pictures that `locate` tasks compare
    are changed alike, as the mildest option of those with boxes allows."""
    all_views: bool = False
    """An answer averages the picture's summary over every view that `augment` allows: 2 of `flip`,
    8 of `rotate`. Answers take so many times as long."""


class Audio(Trunk):
    """A path to a WAV, FLAC, OGG or MP3 recording; heard as log-mel frames."""

    type: Literal["audio"] = "audio"
    encoder: Annotated[str, Field(pattern=r"^(scratch|whisper_tiny_en|hf:.+)$")] = "scratch"
    """`scratch`, `whisper_tiny_en` or `hf:<wav2vec2, HuBERT or Whisper folder>`."""
    rate_hz: Annotated[int, Field(ge=1000, le=192_000)] = 16_000
    """Sampling rate that every recording is brought to."""
    seconds: Annotated[float, Field(gt=0.0, le=30.0)] = 10.0
    """Longer recordings are cut here."""
    augment: Literal["none", "mask"] = "mask"
    """Masked time and frequency stripes and a random gain while training (Park et al. 2019); not of
    resonances, which are found once."""
    resonances: Annotated[int, Field(ge=0, le=32)] = 0
    """Hears so many of the lowest resonances of a struck body - frequency, level and sharpness of
    each - in place of log-mel frames, which tell no frequency to a hundredth."""


class History(Options):
    """Turns single rows into a series: each row also sees the rows before it."""

    by: tuple[str, ...]
    """Columns whose equal values make one recording (machine, run)."""
    order: str
    """Column that sorts the rows of one recording."""
    rows: Annotated[int, Field(ge=2, le=4096)] = 32
    """Rows seen, the row itself included."""


def usual_fronts(known: dict[str, Any]) -> tuple[Front, ...]:
    """Fronts of a series that names none: all that its rate and shaft speed allow, but `recent`."""
    fronts: tuple[Front, ...] = ("learned", "statistics")
    if known["rate_hz"] is None:
        return fronts
    fronts += ("spectrum", "envelope")
    return fronts if known["rpm"] is None else (*fronts, "order")


class Series(Trunk):
    """Samples over time from one or several channels: a list, a `.npy .npz .mat .csv .wav` path."""

    type: Literal["series"] = "series"
    encoder: Annotated[str, Field(pattern=r"^(scratch|hf:.+)$")] = "scratch"
    """`scratch` or `hf:<PatchTST folder>`."""
    channels: tuple[str, ...] = Field(default=(), alias="from")
    """Table columns that are the channels; none means the column of this name alone."""
    rate_hz: PositiveFloat | None = None
    """Samples a second; needed by the `spectrum`, `envelope` and `order` fronts."""
    rpm: str | PositiveFloat | None = None
    """Shaft speed in turns a minute, for the `order` front: a number, or the name of the column
    that holds it."""
    length: Annotated[int, Field(ge=4, le=1_048_576)] = 4096
    """Longer series are cut to their last samples."""
    history: History | None = None
    """Makes the series from this row's and earlier rows' numbers."""
    front: tuple[Front, ...] = Field(
        default_factory=usual_fronts,
        json_schema_extra={"default": ["learned", "statistics"]},
    )
    """What the encoder sees: a learned convolution, pooled by its mean, largest and last step
    (`learned`), or with batch norms and by its mean alone (`convolution`: the one to stand beside
    random convolutions); random convolutions that are fitted to the training rows once and then
    kept (`minirocket`, `hydra`), the strongest where rows are few; statistics of each channel,
    those of its last quarter (`recent`), the spectrum in hertz, the envelope spectrum, and both in
    multiples of shaft speed (`order`). Left out, it is `learned` and `statistics`; `spectrum` and
    `envelope` join them where `rate_hz` is given, and `order` where `rpm` is given too."""
    augment: Literal["none", "gain", "jitter"] = "none"
    """Random gain for each channel while training; `jitter` also adds noise and shifts."""


class Group(Options):
    """Says which rows belong together (machine, board, patient); never an input."""

    type: Literal["group"] = "group"


class Ignore(Options):
    """Left out on purpose."""

    type: Literal["ignore"] = "ignore"


Column = Annotated[
    Number | Category | Time | Vector | Text | Tokens | Image | Audio | Series | Group | Ignore,
    Field(discriminator="type"),
]


# --- split -------------------------------------------------------------------------------------


class Split(Options):
    """Which rows are held back: by a column, by group, by time, or at random if asked for."""

    column: str | None = None
    """Column that says `train`, `val`/`validation` or `test` for each row."""
    by: str | None = None
    """Group column: all rows of one group fall on one side."""
    hold_out: tuple[Annotated[str, Field(coerce_numbers_to_str=True)], ...] = ()
    """Values of `by` that are the test rows (an unseen machine, a fold). Beside `column`, the test
    rows of these groups are tested, and the training rows of the others are learned from."""
    time: str | None = None
    """Time column: the newest rows are the test rows."""
    random: Literal["stratified"] | None = None
    """Rows drawn at random with equal class shares; only when no group or time exists."""
    test: Share = 0.2
    """Share of rows held back for the final figures; with `column` or `hold_out` only 0 counts: it
    says that no test rows are needed."""
    validation: Share = 0.1
    """Share of the remaining rows used to stop training; taken from the training rows when a split
    column names no validation rows: by `by` where it is given, the last rows of each recording
    where a series has a `history`. 0 trains on all of them."""
    calibration: Share = 0.0
    """Share of the rows that then remain, kept to adjust how sure classes are answered after the
    training: never learned from, stopped by or tested on. Taken as validation rows are, unless a
    split column names some."""

    @model_validator(mode="after")
    def one_way(self) -> "Split":
        """Refuse a split that is said in no way or in two (a column may name groups beside it)."""
        ways = [w for w in ("column", "time", "random") if getattr(self, w) is not None]
        if self.by is not None and ways != ["column"]:
            ways.append("by")
        if len(ways) != 1:
            raise ValueError(
                "say one of column, by, time or random: stratified"
                + (f", not {' and '.join(ways)} together" if ways else "")
            )
        if self.hold_out and self.by is None:
            raise ValueError("hold_out names values of a group column: say which one with by")
        return self


# --- fusion ------------------------------------------------------------------------------------


class Fusion(Options):
    """Options that every way of fusing shares."""

    width: Annotated[int, Field(ge=8, le=4096, multiple_of=8)] = 256
    """Length of every column's summary and of the fused one."""
    dropout: Share = 0.1
    """Share of fused activations zeroed while training."""
    modality_dropout: Share = 0.1
    """Chance that a modality is hidden from a training row; of several, one always stays. An only
    one, and each plain cell, is hidden a fifth as often."""
    auxiliary: NonNegativeFloat = 0.3
    """Weight of each single modality's own head, so that none is starved by the strongest."""
    consistency: NonNegativeFloat = 0.0
    """Weight of ||W_1 z_1 + W_2 z_2 + ... - z||^2 / width: the summaries together predict z."""
    tune: TuneFusion = "full"
    """How the fusion may change where `train.start` gives it weights: everything, or by small parts
    beside its layers."""
    adapter: Beside = Beside()
    """What stands beside its layers under `tune: lora` and its kin."""


class Concat(Fusion):
    """Summaries side by side, then a residual network."""

    type: Literal["concat"] = "concat"
    layers: PositiveInt = 2
    """Residual layers after joining."""


class Sum(Fusion):
    """Summaries added, then a residual network."""

    type: Literal["sum"] = "sum"
    layers: PositiveInt = 2
    """Residual layers after adding."""


class Multilinear(Fusion):
    """Low-rank product of all summaries (Liu et al. 2018, 1806.00064), then residual layers."""

    type: Literal["multilinear"] = "multilinear"
    rank: PositiveInt = 8
    """Rank of the product's weight tensor."""
    layers: PositiveInt = 2
    """Residual layers after multiplying."""


class Gated(Fusion):
    """Each summary weighed by a gate that sees all of them (GMU, Arevalo et al. 2017)."""

    type: Literal["gated"] = "gated"
    layers: PositiveInt = 2
    """Residual layers after gating."""


class Attention(Fusion):
    """One transformer over the tokens of all columns."""

    type: Literal["attention"] = "attention"
    layers: PositiveInt = 2
    """Transformer blocks."""
    heads: PositiveInt = 4
    """Attention heads; must divide `width`."""


class Bottleneck(Fusion):
    """Columns exchange only through a few shared tokens (MBT, Nagrani et al. 2021)."""

    type: Literal["bottleneck"] = "bottleneck"
    layers: PositiveInt = 2
    """Transformer blocks a modality."""
    heads: PositiveInt = 4
    """Attention heads; must divide `width`."""
    bottlenecks: PositiveInt = 4
    """Shared tokens."""


class Tabm(Fusion):
    """Parallel ensemble of networks over the summaries (TabM, Gorishniy et al. 2024)."""

    type: Literal["tabm"] = "tabm"
    layers: PositiveInt = 2
    """Layers of each member."""
    members: Annotated[int, Field(ge=2, le=128)] = 16
    """Networks in the ensemble; they share most weights."""


Fuse = Annotated[
    Concat | Sum | Multilinear | Gated | Attention | Bottleneck | Tabm,
    Field(discriminator="type"),
]


# --- tasks -------------------------------------------------------------------------------------


class Task(Options):
    """Options that every task shares."""

    target: str
    """Column to be answered; rows where it is empty teach the other tasks."""
    weight: PositiveFloat = 1.0
    """Factor of this task's loss among several."""

    @property
    def answers_in(self) -> dict[str, str]:
        """Table columns that hold its right answers, by the option that names each."""
        return {"target": self.target}

    @property
    def looks_up(self) -> dict[str, str]:
        """Further table columns that training reads, by the option that names each."""
        return {}

    @property
    def tuned(self) -> "tuple[Tune, Beside] | None":
        """How a pretrained network inside its head may change; None without one."""
        return None

    @property
    def works_on(self) -> tuple[str, ...]:
        """Inputs that it cannot do without, the one that its answers are about first."""
        return ()

    @property
    def pictures(self) -> tuple[str, ...]:
        """The picture column that its answers lie on, then the one that it is compared with."""
        return ()

    @property
    def several(self) -> bool:
        """Whether a row may have several answers, or none."""
        return False

    @property
    def decoded_by(self) -> str | None:
        """The picture column whose checkpoint may bring the decoder of its answers along."""
        return None

    def found_at_most(self, columns: "Mapping[str, Column]") -> int | None:
        """Answers that can be found in one row; None where any number can, or only a checkpoint
        knows."""
        return None


class Decide(Options):
    """What to do with a row, by what each mistake costs: the decision of least expected cost."""

    costs: dict[str, float | dict[str, float]] | tuple[tuple[float, ...], ...]
    """`{miss: 10, false_alarm: 1}` where there are two classes, in any one unit; `ask: 0.5` beside
    them is what it costs to have somebody look. Or what each answer costs for each true class:
    `{crack: {scratch: 3, none: 50}, ...}`, 0 where it is right, or as a list of lists, rows and
    columns in the order of the classes in the report."""
    ask: float | None = None
    """What it costs to have somebody look, where `costs` does not say it; none: nobody is asked."""
    positive: str | None = None
    """The class that a `miss` is about, such as `fault`: it is rejected, the other accepted. Left
    out, it is the rarer one of the training rows."""


class Classify(Task):
    """One class a row, or any number of labels with `labels: multi`."""

    type: Literal["classify"] = "classify"
    labels: Literal["single", "multi"] = "single"
    """`multi`: the cell is a list, or names joined by `;`."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs classes by the inverse of their share: rare ones may be found more
    often, and are said with more certainty than they deserve."""
    decide: Decide | None = None
    """Makes a decision of each answer, by what mistakes cost."""

    @property
    def several(self) -> bool:
        """Whether a row may have several labels, or none."""
        return self.labels == "multi"


class Order(Options):
    """What to order of an item whose demand is the target: up to the amount of least expected
    cost (the newsvendor's quantile, Arrow, Harris & Marschak 1951)."""

    shortage: PositiveFloat
    """What a piece costs for each period in which somebody waits for it, in any one unit."""
    holding: PositiveFloat = 1.0
    """What a piece costs for each period in which it lies in stock, in the same unit."""
    lead_time: NonNegativeInt = 1
    """Periods from an order to its pieces; the target is what is sold in `lead_time` and `review`
    periods together."""
    review: PositiveInt = 1
    """Periods from an order to the next one."""
    item: str | None = None
    """Column that says which item a row is of; with `period` and `sold` the report lets a stock be
    run by these orders over the test rows, beside usual methods."""
    period: str | None = None
    """Column of whole numbers: the period at whose start a row's order is made."""
    sold: str | None = None
    """Column of what was asked for in that period alone; never an input."""


class Regress(Task):
    """A number; learned in standardised form, answered in its own unit."""

    type: Literal["regress"] = "regress"
    unit: str | None = None
    """Physical unit, printed in the report."""
    scale: Literal["linear", "log"] = "linear"
    """`log` learns sign(y)*log(1+|y|): for skewed amounts such as prices; answers are then near the
    median, not the mean, and figures are given on that scale too."""
    lowest: float | None = None
    """No answer and no quantile is below this, in the target's unit: 0 for counts and shares."""
    highest: float | None = None
    """No answer and no quantile is above this: 1 for shares, 100 for per cent."""
    loss: Literal["squared", "absolute", "huber"] = "squared"
    """What an error costs while training."""
    quantiles: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = ()
    """Also answers these quantiles, learned with the pinball loss."""
    distribution: Literal["none", "negative_binomial", "zero_inflated", "empirical"] = "none"
    """For counts: also answers how likely each whole number is. By mean and dispersion
    (`negative_binomial`), by these and a chance of being zero for another reason
    (`zero_inflated`), or with a chance of its own for each number of the training rows
    (`empirical`); learned by likelihood in place of `loss`, see docs/supply.md."""
    order: Order | None = None
    """Makes an order of each answer, by what stock and shortage cost; needs a `distribution`."""

    @property
    def looks_up(self) -> dict[str, str]:
        """The columns by which a stock is run in the report."""
        told = {} if self.order is None else self.order.model_dump(include={*STOCK})
        return {f"order.{option}": column for option, column in told.items() if column}


class Tag(Task):
    """A BIO tag a word of a `tokens` column, scored by exact spans."""

    type: Literal["tag"] = "tag"
    on: str
    """The `tokens` column whose words are tagged."""

    @property
    def works_on(self) -> tuple[str, ...]:
        """The words."""
        return (self.on,)

    @property
    def several(self) -> bool:
        """A sentence may have several spans, or none."""
        return True


class Locate(Task):
    """Boxes with names on a picture; `target` holds lists of [x1, y1, x2, y2] in pixels."""

    type: Literal["locate"] = "locate"
    labels: str | None = None
    """Column with one name a box; without it all boxes are of one kind."""
    on: str
    """The image column that the boxes lie on."""
    template: str | None = None
    """A second image column to compare with, such as the defect-free part."""
    max_boxes: PositiveInt = 100
    """Boxes answered at most for one picture."""
    head: Literal["dense", "detr"] = "dense"
    """`dense`: a heat map a class and the sides at each cell (Zhou et al. 2019, 1904.07850).
    `detr`: a set of queries, each of which finds one box or nothing (Carion et al. 2020,
    2005.12872); on `hf:` checkpoints of DETR and RT-DETR with their own queries and decoder. Which
    one to take: docs/locate.md."""
    queries: Annotated[int, Field(ge=1, le=900)] | None = None
    """Boxes that `head: detr` can find on one picture; none means 50, or as many as a checkpoint
    has."""

    @property
    def answers_in(self) -> dict[str, str]:
        """The boxes, and their names where there are several kinds."""
        named = {} if self.labels is None else {"labels": self.labels}
        return {"target": self.target, **named}

    @property
    def works_on(self) -> tuple[str, ...]:
        """The pictures."""
        return self.pictures

    @property
    def pictures(self) -> tuple[str, ...]:
        """The picture with the boxes, and its template."""
        return tuple(c for c in (self.on, self.template) if c)

    @property
    def several(self) -> bool:
        """A picture may have several boxes, or none."""
        return True

    @property
    def decoded_by(self) -> str | None:
        """The picture, under `head: detr`."""
        return self.on if self.head == "detr" else None

    def found_at_most(self, columns: "Mapping[str, Column]") -> int | None:
        """As many as there are queries."""
        encoder: str = getattr(columns[self.on], "encoder", "")
        if self.head != "detr" or (self.queries is None and encoder.startswith("hf:")):
            return None
        return self.queries or QUERIES


Written = Annotated[str, Field(coerce_numbers_to_str=True, min_length=1)]


class Generate(Task):
    """A text, written piece by piece from all columns: a caption, a cause, a note, a summary."""

    type: Literal["generate"] = "generate"
    decoder: Annotated[str, Field(pattern=r"^(scratch|smollm2|hf:.+)$")] = "scratch"
    """`scratch`: a small transformer that looks at the tokens of all columns; `smollm2` (134.5 M
    parameters, English) or `hf:<folder of a causal language model>`: the row is put before its
    words as a few vectors, a soft prefix (Li & Liang 2021, 2101.00190)."""
    size: Literal["small", "base"] = "small"
    """Width and depth of the decoder when it is trained from scratch."""
    vocabulary: Annotated[int, Field(ge=258, le=65536)] = 2000
    """Pieces of words that a decoder from scratch learns from training answers; every other word is
    written in single bytes."""
    tune: Literal["frozen", "full", Method] = "lora"
    """How a pretrained decoder may change: not at all (the prefix alone learns), everything, or by
    small parts beside its layers."""
    adapter: Beside = Beside()
    """What stands beside its layers under `tune: lora` and its kin."""
    prefix: Annotated[int, Field(ge=1, le=64)] = 8
    """Vectors that tell a pretrained decoder what the row holds."""
    search: Literal["greedy", "beam", "sample"] = "greedy"
    """How pieces are chosen: the likeliest each time, the likeliest whole text among `beams`, or
    drawn by chance. Rows share the random numbers, so that what stands beside a row changes
    nothing."""
    max_tokens: Annotated[int, Field(ge=1, le=512)] = 64
    """Pieces of an answer at most; longer training answers are cut here."""
    min_tokens: NonNegativeInt = 0
    """Pieces of an answer at least, as far as `only` allows."""
    beams: Annotated[int, Field(ge=2, le=32)] = 4
    """Texts that `search: beam` goes on with at a time."""
    length_penalty: NonNegativeFloat = 1.0
    """Beams are compared by their log-likelihood over their length to this power: 1 by the mean of
    their pieces, 0 favours short texts (Wu et al. 2016, 1609.08144)."""
    temperature: PositiveFloat = 1.0
    """Under `search: sample`, below 1 likely pieces become likelier."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """Under `search: sample`, pieces are drawn from the likeliest ones that together have this
    probability (Holtzman et al. 2020, 1904.09751)."""
    draw: NonNegativeInt = 0
    """Start of the random numbers of `search: sample`."""
    only: Written | tuple[Written, ...] | None = None
    """Answers that are allowed: a list of texts, or the name of a table column, such as the target
    itself, whose training cells are the list. Nothing else can be written."""

    @property
    def looks_up(self) -> dict[str, str]:
        """The column that lists what may be answered."""
        return {"only": self.only} if isinstance(self.only, str) else {}

    @property
    def tuned(self) -> tuple[Tune, Beside] | None:
        """How a pretrained decoder may change."""
        return None if self.decoder == "scratch" else (self.tune, self.adapter)

    @property
    def several(self) -> bool:
        """A text has several words."""
        return True


class Custom(Task):
    """A kind of task of your own: a `Kit` in a Python package that is installed here."""

    type: Literal["custom"] = "custom"
    use: str
    """Where the kit is, as in `package.module:name`; see docs/custom-tasks.md."""


TaskOptions = Annotated[
    Classify | Regress | Tag | Locate | Generate | Custom, Field(discriminator="type")
]


# --- training ----------------------------------------------------------------------------------


class Train(Options):
    """How the weights are learned."""

    start: Path | None = None
    """Run directory to begin from: readers, encoders and heads of columns and tasks that are as
    they were there are taken over; what is not is named. Relative to the job file."""
    epochs: PositiveInt | Literal["auto"] = "auto"
    """Passes over the training rows at most; `auto` takes 20, and more where few rows would make
    fewer than `least_steps` of them."""
    minutes: PositiveFloat | None = None
    """Training ends after so many minutes, its rate falling to zero by then, and the best weights
    are kept; `patience` ends nothing. Steps, what they wait for and looks at validation rows count;
    frozen features, baselines and the report do not. How many steps that makes is up to the
    machine, so the weights are not the same twice."""
    least_steps: NonNegativeInt = 300
    """With `epochs: auto`, steps that are planned at least."""
    batch: PositiveInt | Literal["auto"] = "auto"
    """Rows a step, over all processes together. `auto` takes 32; an eighth of the rows, but at
    least 4, where they are few; up to 256 where they are many and all columns are numbers,
    categories and times."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW (Loshchilov & Hutter 2019), or SGD with momentum 0.9."""
    lr: PositiveFloat = 1e-3
    """Highest learning rate of the parts that start from nothing."""
    encoder_lr: PositiveFloat = 1e-4
    """Highest learning rate of pretrained encoders."""
    weight_decay: NonNegativeFloat = 0.01
    """Decay of matrices and kernels; never of biases and norms."""
    warmup: Share = 0.1
    """Share of the steps over which the rate climbs; it then falls as a cosine."""
    label_smoothing: Share = 0.0
    """Share of each class's certainty given to all classes."""
    clip: PositiveFloat = 1.0
    """Gradients longer than this are shortened to it."""
    patience: NonNegativeInt = 5
    """Looks at the validation rows without a better figure before training stops; 0 runs all epochs
    and keeps the last weights. A look comes after each epoch, or after several that together take
    25 steps or a twentieth of all steps, whichever is less."""
    folds: NonNegativeInt | Literal["auto"] = "auto"
    """Cross-validation over training and validation rows in so many folds says how many epochs are
    best; the model then learns from all these rows for as many. 0: the validation rows alone say
    it. `auto` takes 5 where validation rows are fewer than 40 (150 where all columns are numbers,
    categories and times), epochs are `auto`, rows are not split by time and no encoder of media
    learns."""
    refit: bool = False
    """Once validation has found the best epoch, learns anew from training and validation rows
    together, for as many epochs. Takes up to twice as long; most useful where the validation rows
    are the newest."""
    ema: Share = 0.99
    """Decay a step of a moving average of the weights, which then is what is kept; 0 keeps the
    weights."""
    weighting: Literal["sum", "uncertainty", "famo", "pcgrad"] = "sum"
    """Several tasks: sum of losses, each divided by its value at the start; learned uncertainties
    (Kendall et al. 2018); weights that make all losses fall alike (`famo`, Liu et al. 2023,
    2306.03792); or gradients of tasks without what they have against one another (`pcgrad`, Yu et
    al. 2020, 2001.06782; one backward pass a task)."""
    frozen_first: bool = True
    """Where pretrained encoders are tuned: first learns all that stands on them, while they stay as
    they are and run once for each row, for up to `epochs`; then everything from there, as many
    again (6 where `epochs` is `auto`), kept only where validation rows are answered better (Kumar
    et al. 2022, 2202.10054); not where the first part already scores .995."""
    freeze_epochs: NonNegativeInt = 0
    """Pretrained encoders stay as they are for this many epochs."""
    shard: bool = False
    """Under `torchrun`, blocks of pretrained encoders that learn are shared out over the processes:
    their weights, gradients, moments and average (FSDP2, Zhao et al. 2023, 2304.11277). For
    encoders that do not fit one device while they learn; see docs/sharding.md."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number type of the matrix work while training; `auto` takes the fastest. It tries them where
    a fiftieth of the training's time is enough for that, and remembers the answer."""
    cache_gb: NonNegativeFloat = 8.0
    """Disk that one training may use for decoded pictures, sounds, series and frozen features:
    all columns, `refit` and the processes of one machine together. 0 reads them anew every epoch;
    what is learned does not depend on it."""
    remember_gb: NonNegativeFloat = 2.0
    """Disk in the user's cache folder (`~/.cache/modalloy`) where `train` and `evaluate` keep what
    frozen pretrained encoders say, by the content of cells: the next training with the same encoder
    learns the same from the same cells without running it. What was used longest ago goes first; 0
    keeps nothing and looks nothing up."""


class Blend(Options):
    """What answers are made of beside the network: boosting, linear models, heads of single
    columns, by weights fitted on rows that none of them has learned from."""

    use: Literal["auto", "always", "never"] = "auto"
    """`auto` blends a task unless the network alone costs less on held-back rows that the weights
    were not fitted on, by more than chance explains; `always` takes the weights as they come out;
    `never` keeps the network alone."""
    least_rows: PositiveInt = 10
    """Held-back rows with an answer that a task needs; with fewer the network answers alone."""
    least_weight: Share = 0.05
    """What would have less say than this is left out."""


class Calibrate(Options):
    """How sure answers are, and what they promise: sets of classes, intervals of numbers, precision
    of spans and boxes. Fitted on the calibration rows of the split, else on rows that were held
    back from what answers them."""

    use: Literal["auto", "never"] = "auto"
    """`auto` calibrates every task that has rows enough; `never` leaves answers as they are."""
    coverage: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.9
    """Share of rows whose set or interval holds the truth; of printed spans and boxes, the share
    that is right."""
    sets: Literal["lac", "aps", "raps"] = "lac"
    """Sets of classes: the smallest on average (`lac`, Sadinle et al. 2019), or larger for rows
    that are hard (`aps`, Romano et al. 2020; `raps`, Angelopoulos et al. 2021, costs each class
    behind the second)."""
    by: tuple[str, ...] = ()
    """Columns, such as the line or the machine, of which each value that has rows enough gets
    thresholds of its own, as each set of missing columns does."""


class Harden(Options):
    """How `harden` learns on from a run, so that its answers hold where cells are attacked, worn or
    wrong. Training itself reads none of it."""

    training: Literal["fgsm_rs", "pgd", "trades", "freelb", "corruptions"] = "fgsm_rs"
    """Rows are attacked by one step from a random start (`fgsm_rs`, Wong et al. 2020, 2001.03994),
    by several (`pgd`, Madry et al. 2018, 1706.06083), answers are held alike beside each row
    (`trades`, Zhang et al. 2019, 1901.08573), every step of an attack on text teaches (`freelb`,
    Zhu et al. 2020, 1909.11764), or none is attacked (`corruptions`)."""
    budgets: dict[str, str | float] = {}
    """How far an attacker may move a column, with a unit, as in `{photo: 8/255, load: 0.1 sd}`; `0`
    leaves a column alone. Columns that are not named have the usual budget of their type."""
    attacked: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """Share of a batch's rows that `fgsm_rs` and `pgd` attack; the others stay as they are."""
    steps: PositiveInt | Literal["auto"] = "auto"
    """Steps of the attack of `pgd`, `trades` and `freelb`; `auto` takes 7, and 3 of `freelb`."""
    beta: PositiveFloat = 6.0
    """Weight of what `trades` adds: more holds better and answers clean rows worse."""
    corrupted: Share = 0.1
    """Share of rows that noise, blur, gain, offset, dropout, clipping, a wrong clock or dirt
    changes, beside the attack."""
    lying: Share = 0.2
    """Share of rows of which one column says something else - noise, another row's cell, or an
    attack within all that it may say - while the answer stays; where there are several columns."""
    clean_loss: NonNegativeFloat = 2.0
    """Points (hundredths) of the validation rows' score that answers to clean rows may lose."""
    epochs: PositiveInt | Literal["auto"] = "auto"
    """Passes over the training rows at most; `auto` takes as many as fit into 2.5 times the passes
    of the training, counting what the attack costs."""
    lr: PositiveFloat | Literal["auto"] = "auto"
    """Highest learning rate; `auto` takes that of the training."""
    rows: PositiveInt = 200
    """Test rows that are attacked at most for the figures before and after; more are sampled."""
    effort: Literal["quick", "full"] = "quick"
    """How hard the suite of attacks tries on them: `quick` takes 20 steps, 2 restarts and 100
    queries of the black box, `full` 100, 5 and 1,000, some ten times as long."""


class Unlike(Options):
    """Whether a row is unlike all that was learned from, as a whole and column by column."""

    use: Literal["auto", "never"] = "auto"
    """`auto` keeps up to 2,000 training rows as the network sees them, and measures how far other
    rows are from these; `never` keeps nothing, and `predict` says nothing of it."""
    share: Annotated[float, Field(gt=0.0, le=0.5)] = 0.01
    """Share of rows like those of training that may be called unlike by mistake."""


class Economize(Options):
    """What columns cost, and what leaving some out may lose; training reads nothing of it."""

    costs: dict[str, NonNegativeFloat] = {}
    """What a cell of each media column costs, and of all number, category and time columns together
    as `table`, in money or anything else: `{photo: 2.5, note: 0}`. Milliseconds of reading and
    encoding are measured where this is empty."""
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.02
    """Share of decisions that may become wrong by leaving columns out."""
    sure: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.9
    """How probable it must be that no more do."""


class Refresh(Options):
    """When a served model learns on from labelled rows that it has answered, and when what came of
    it may answer in its place; training reads nothing of it."""

    every: Stretch | None = None
    """Try so long after the last time, as in `7d` or `12h`."""
    or_when: Literal["drift"] | None = None
    """`drift`: try as soon as `watch` has found that rows have drifted."""
    window: Stretch = "30d"
    """A labelled row counts half as much for each such time that it is older."""
    old: Literal["kept", "outdated"] = "kept"
    """`outdated`: what is made has changed so that rows of the first training would teach the wrong
    thing. None is learned from again, and what is lost on them refuses nothing."""
    learn: Annotated[int, Field(ge=12)] = 60
    """Labelled rows to learn from, at least; two of five of them are held back while it learns."""
    judge: Annotated[int, Field(ge=20)] = 60
    """Labelled rows that decide between the old model and the new one, at least; neither has
    learned from them."""
    effect: NonNegativeFloat = 1.0
    """Points (hundredths) by which the new one must answer these better in some task."""
    harm: NonNegativeFloat = 5.0
    """Points by which a group of these rows - a machine, a category, who labelled them - may be
    answered worse."""
    trust: tuple[str, ...] = ()
    """Whose labels may decide alone, by their sources as in `[inspection]`; of anybody else, 20 of
    the rows that decide must be labelled by others as well."""


class Masked(Options):
    """Learning by hiding: parts of all columns of a row are hidden and rebuilt from what is left of
    all of them (MultiMAE, Bachmann et al. 2022, 2204.01678; TIP, Du et al. 2024, 2407.07582)."""

    weight: NonNegativeFloat = 1.0
    """What its losses count for beside those of other methods; 0 leaves it out."""
    patches: Share = 0.6
    """Share of the patches of pictures, of stretches of series and recordings and of pieces of
    lists that is hidden."""
    pieces: Share = 0.15
    """Share of the word pieces of texts that is hidden (Devlin et al. 2018, 1810.04805)."""
    cells: Share = 0.3
    """Share of the cells of number, category and time columns that is hidden."""
    columns: Share = 0.15
    """Chance that all of a column is hidden from a row, all plain columns counting as one; of
    several, one always stays."""
    summary: Share = 0.5
    """Share of the rows that are rebuilt from their fused summary alone, so that the fusion and the
    summaries learn as much as the single tokens."""
    width: Annotated[int, Field(ge=8, le=1024, multiple_of=8)] = 128
    """Length of the vectors inside the decoder, which is left behind afterwards."""
    layers: PositiveInt = 2
    """Its layers."""


class Contrast(Options):
    """One space for all columns: vectors of one row lie near one another. `search` looks there."""

    loss: Literal["infonce", "sigmoid", "gram"] = "infonce"
    """Each row finds its own among others (`infonce`, CLIP, Radford et al. 2021, 2103.00020), every
    pair of rows is told apart (`sigmoid`, SigLIP, Zhai et al. 2023, 2303.15343), or all columns of
    a row span little volume together (`gram`, Cicchetti et al. 2024, 2412.11959), less than those
    of other rows with the same columns."""
    weight: NonNegativeFloat = 1.0
    """What its losses count for beside those of other methods; 0 leaves it out."""
    size: Annotated[int, Field(ge=2, le=4096)] | Literal["auto"] = "auto"
    """Length of the vectors; `auto` takes that of a checkpoint of two towers (CLIP, SigLIP) where a
    column has one, else 128."""
    layers: NonNegativeInt = 1
    """Residual layers of each column's projection; 0 is a linear map."""
    projections: Literal["checkpoint", "new"] = "checkpoint"
    """Whether columns with a tower of CLIP or SigLIP keep the projection of their checkpoint, or
    get a new one as other columns do."""
    temperature: PositiveFloat | None = None
    """What similarities are divided by at the start; none means .07, under `sigmoid` .1, or what a
    checkpoint of two towers has learned."""
    learn_temperature: bool = True
    """Whether the temperature learns too."""
    row: bool = True
    """Whether the fused row has a place in the space beside its columns."""
    anchor: str | None = None
    """Under `gram` the one column that all others are compared with; every column in turn without
    it. `table` stands for all number, category and time columns."""
    mixup: NonNegativeFloat = 0.0
    """Vectors of rows are mixed before they are projected, by shares drawn from a beta distribution
    with this parameter (FuseMix, Vouitsis et al. 2023, 2312.10144); 0 mixes none. For few pairs and
    frozen encoders, 1 is usual."""
    neighbours: NonNegativeFloat = 0.0
    """Weight of keeping each frozen encoder's neighbours (STRUCTURE, Gröger et al. 2025,
    2506.16895): for few pairs."""
    levels: PositiveInt = 3
    """Of neighbours: 1 looks at direct ones alone, 2 at neighbours' neighbours too, and so on."""


class Matching(Options):
    """Whether a cell belongs to its row (TIP, Du et al. 2024, 2407.07582)."""

    weight: NonNegativeFloat = 1.0
    """What its losses count for beside those of other methods; 0 leaves it out."""
    hard: bool = True
    """Rows are more often given a cell that looks like their own, though never the same one."""


class Autoregress(Options):
    """Learning by predicting what follows: a part of a picture, series or recording is read, and
    the rest predicted patch by patch (ImageGPT, Chen et al. 2020; AIM, El-Nouby et al. 2024,
    2401.08541). A run that learned by it can `draw`."""

    weight: NonNegativeFloat = 1.0
    """What its losses count for beside those of other methods; 0 leaves it out."""
    columns: tuple[str, ...] = ()
    """The columns that are predicted; where none is named, all pictures, series and recordings of
    which something in the encoder learns."""
    hide: Share = 0.3
    """Share of the other cells of a row that is hidden, so that what is drawn can also do without
    them."""
    shown: Share = 0.5
    """Share of the rows in which what follows is predicted from the patches before it and from what
    the encoder says of these; in the others from what the encoder says alone, which teaches it
    more."""
    width: Annotated[int, Field(ge=8, le=1024, multiple_of=8)] = 128
    """Length of the vectors inside the transformer that predicts."""
    layers: PositiveInt = 3
    """Its layers."""
    components: Annotated[int, Field(ge=1, le=64)] = 8
    """Gaussians that it mixes for each patch: as many different ways to go on."""


class Pretrain(Options):
    """How `pretrain` learns from rows without labels; rates, optimiser, average and precision are
    those of `train`, which itself reads none of it."""

    unlabelled: str | tuple[str, ...] = ()
    """One more table to learn from, or several, as in `more.parquet`, relative to the job file;
    their rows need no answers, and columns that they lack count as missing cells."""
    masked: Masked | None = None
    """Learning by hiding parts of all columns and rebuilding them. Left out, it is done all the
    same, but where a space is learned without being asked for."""
    contrast: Contrast | None = None
    """Learning one space for all columns, in which `search` looks. Left out, it is what is learned
    where no method is asked for and there are two inputs or more, number, category and time columns
    counting as one; where another is asked for, it is not done."""
    matching: Matching | None = None
    """Learning which cells belong to a row."""
    autoregress: Autoregress | None = None
    """Learning by predicting what follows in pictures, series and recordings, which lets the run
    `draw` them; left out, it is not done."""
    epochs: PositiveInt | Literal["auto"] = "auto"
    """Passes over all rows at most; `auto` takes as many as make `steps`, and 5 at least."""
    steps: PositiveInt = 2000
    """With `epochs: auto`, steps that are planned."""
    minutes: PositiveFloat | None = None
    """Learning ends after so many minutes, as under `train.minutes`."""
    patience: NonNegativeInt = 10
    """Looks at the rows kept apart without a lower loss before learning ends; 0 runs all epochs and
    keeps the last weights."""
    judged: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    """Share of the rows that are kept apart to say when to end, at most 2,000; 0 learns from all of
    them and runs all epochs."""


class Job(Options):
    """Everything a training needs, in one page."""

    table: str
    """Table file, folder of class folders with pictures, or `sqlite:///file.db?query`."""
    sheet: str | None = None
    """Sheet of an Excel file; the first one otherwise."""
    split: Split
    """Which rows are held back: `{by: machine}`, `{time: taken_at}`, `{column: split}` or
    `{random: stratified}`."""
    columns: dict[str, Column]
    """What the model sees: a column's name and its options, as in `photo: {type: image}`."""
    fuse: Fuse = Concat()
    """How the columns' summaries become one."""
    tasks: dict[str, TaskOptions]
    """What is answered: a name and its options, as in `fault: {type: classify, target: code}`."""
    train: Train = Train()
    """How the weights are learned."""
    pretrain: Pretrain = Pretrain()
    """How the verb `pretrain` learns from rows without labels."""
    blend: Blend = Blend()
    """What beside the network has a say in the answers."""
    calibrate: Calibrate = Calibrate()
    """How sure answers are, and what they promise."""
    unlike: Unlike = Unlike()
    """Which rows are unlike anything that was learned from."""
    economize: Economize = Economize()
    """What columns cost, for the verb `economize`."""
    refresh: Refresh = Refresh()
    """When and how a served model learns on, for `serve` and `watch`."""
    harden: Harden = Harden()
    """How `harden` learns on so that answers hold where cells are attacked or wrong."""
    federate: Federate = Federate()
    """How the verb `federate` learns from sites that keep their rows."""
    tune: dict[str, Any] = {}
    """Values that the verb `tune` tries in place of those it would choose: an option's path and
    `[low, high]`, `[low, high, log]` or `{any: [a, b]}`, as in `{train.lr: [1e-4, 1e-2, log]}`.
    `columns.*.bins` means every column that has the option. Training itself does not read it."""
    seed: Annotated[int, Field(ge=0, le=4_294_967_295)] = 0
    """Start of every random choice."""
    allow_leak: bool = False
    """Train although rows or columns give the answer away; the report says so in red."""
    allow_outside: bool = False
    """Read media files outside the table's folder."""
    unreadable: Literal["refuse", "missing"] = "refuse"
    """Media that cannot be read stop the job, or count as missing cells."""
