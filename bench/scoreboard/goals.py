"""What each set of the scoreboard must reach: metric, floor, published figure and goal."""

from dataclasses import dataclass

from bench.figure import Figure


@dataclass(frozen=True)
class Goal(Figure):
    """One figure of one set. over_single: how far above the best single column it must be."""

    floor: float
    published: str
    target: float
    over_single: float | None = None

    @property
    def text(self) -> str:
        """The goal in words."""
        sign = "<=" if self.lower_is_better else ">="
        more = f" and best single + {self.over_single}" if self.over_single else ""
        return f"{sign} {self.target}{more}"

    def best_single(self, reports: list[dict]) -> float | None:
        """The best single column's mean figure, where the goal asks for a gain over it."""
        if self.over_single is None:
            return None
        values = [r["gain"][self.task]["best_value"] for r in reports]
        return sum(values) / len(values)

    def beats(self, value: float) -> bool:
        """Whether the floor is beaten."""
        return value < self.floor if self.lower_is_better else value > self.floor

    def reached(self, value: float, single: float | None) -> bool:
        """Whether the goal is reached."""
        good = value <= self.target if self.lower_is_better else value >= self.target
        return good and (
            self.over_single is None or (single is not None and value >= single + self.over_single)
        )


GOALS: dict[str, list[Goal]] = {
    "elpv": [Goal("defective", "accuracy", 0.806, ".884 / ~.90", 0.89)],
    "esc10": [Goal("label", "accuracy", 0.840, "human .957", 0.92)],
    "av_digits": [Goal("digit", "accuracy", 0.88, "-", 0.97, over_single=0.01)],
    "cwru": [Goal("condition", "accuracy", 0.475, "-", 0.65)],
    "cmapss_fd001": [Goal("rul", "rmse", 13.33, "10.4-11.5", 11.5, lower_is_better=True)],
    "tep": [Goal("fault", "macro_f1", 0.639, "-", 0.80)],
    "conll2003": [
        Goal("entities", "span_f1", 0.549, "BERT-L .928", 0.88),
        Goal("entities", "token_f1", 0.912, "the article .941", 0.975),
    ],
    "maintie": [Goal("entities", "span_f1", 0.782, "SpERT .874", 0.87)],
    "banking77": [Goal("intent", "accuracy", 0.894, ".934", 0.93)],
    "financial_phrasebank": [Goal("sentiment", "accuracy", 0.779, "FinBERT .86", 0.86)],
    "excavators": [Goal("location", "accuracy", 0.565, "-", 0.60)],
    "shipments": [
        Goal("late", "auroc", 0.804, "-", 0.83),
        Goal("freight", "r2", 0.637, "-", 0.68),
    ],
    "ikea_products": [Goal("family", "accuracy", 0.673, "(text .703)", 0.78, over_single=0.02)],
    "bike_frames": [Goal("median of 10", "r2", 0.657, "-", 0.75, median=True)],
    "easy_vqa": [Goal("answer", "accuracy", 0.739, "~1", 0.97)],
    "mosi": [Goal("sentiment", "accuracy", 0.697, ".803", 0.77)],
    "deeppcb": [Goal("defects", "map50", 0.569, ".986", 0.90)],
}
