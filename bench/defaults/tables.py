"""Made tables of numbers, categories and times, and those that scikit-learn ships; all seeded."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

START = datetime(2024, 1, 1)
DAY_H = 24.0
Columns = dict[str, np.ndarray]


def twelve_rows(folder: Path) -> Path:
    """12 training rows; the width of a part says whether it passes, two more columns are noise."""
    draw = np.random.default_rng(0)
    rows = 12 + 300
    width = draw.normal(10, 1, rows)
    passed = width + draw.normal(0, 0.2, rows) > 10
    passed[:12] = np.arange(12) % 2 == 0
    width[:12] = np.where(passed[:12], 1, -1) * draw.uniform(0.3, 1.5, 12) + 10
    table = {
        "width_mm": width,
        "weight_g": draw.normal(40, 5, rows),
        "station": draw.choice(["north", "south"], rows),
        "passed": np.where(passed, "yes", "no"),
        "split": np.where(np.arange(rows) < 12, "train", "test"),
    }
    return write_csv(folder, table)


def sixty_rows(folder: Path) -> Path:
    """60 training rows of ten settings, three of which move the strength in a straight line."""
    draw = np.random.default_rng(1)
    rows = 60 + 400
    x = draw.normal(0, 1, (rows, 10))
    strength = 300 + 12 * x[:, 0] - 8 * x[:, 3] + 5 * x[:, 7] + draw.normal(0, 4, rows)
    split = np.where(np.arange(rows) < 60, "train", "test")
    table = numbers("setting", x) | {"strength_mpa": strength, "split": split}
    return write_csv(folder, table)


def interactions(folder: Path) -> Path:
    """2,000 rows: two readings of like sign, and a third one's steps, decide together."""
    draw = np.random.default_rng(2)
    x = draw.uniform(-1, 1, (2_000, 6))
    steps = np.floor((x[:, 2] + 1) * 4) % 2 == 0
    faulty = ((x[:, 0] * x[:, 1] > 0) ^ steps) ^ (draw.uniform(size=2_000) < 0.03)
    return write_csv(folder, numbers("reading", x) | {"fault": np.where(faulty, "yes", "no")})


def many_names(folder: Path) -> Path:
    """2,000 rows of 200 suppliers, each with a level of its own, and a number that adds to it."""
    draw = np.random.default_rng(3)
    level = draw.normal(0, 10, 200)
    supplier = np.minimum((200 * draw.uniform(size=2_000) ** 1.5).astype(int), 199)
    distance = draw.uniform(50, 900, 2_000)
    days = 40 + level[supplier] + 0.02 * distance + draw.normal(0, 3, 2_000)
    names = np.array([f"supplier {draw.integers(100_000)}-{i}" for i in range(200)])
    table = {"supplier": names[supplier], "distance_km": distance, "delivery_days": days}
    return write_csv(folder, table)


def prices(folder: Path) -> Path:
    """2,000 rows whose target has a heavy tail: every column multiplies the price."""
    draw = np.random.default_rng(4)
    area, age = draw.lognormal(4.5, 0.5, 2_000), draw.uniform(0, 60, 2_000)
    place = draw.choice(["harbour", "hill", "station", "valley"], 2_000)
    factor = {"harbour": 1.0, "hill": 0.6, "station": 0.2, "valley": 0.0}
    log = 6 + 1.1 * np.log(area) - 0.015 * age + np.array([factor[p] for p in place])
    price = np.exp(log + 0.35 * draw.standard_t(4, 2_000)).round(-1)
    table = {"area_m2": area, "age_years": age, "place": place, "price": price}
    return write_csv(folder, table)


def rare_class(folder: Path) -> Path:
    """6,000 rows of which 2 % fail, those with two readings high at once."""
    draw = np.random.default_rng(5)
    x = draw.normal(0, 1, (6_000, 8))
    risk = x[:, 0] + x[:, 1] + 0.8 * np.minimum(x[:, 0], x[:, 1])
    risk += draw.normal(0, 0.4, 6_000)
    fails = risk > np.quantile(risk, 0.98)
    return write_csv(folder, numbers("reading", x) | {"state": np.where(fails, "fails", "runs")})


def times(folder: Path) -> Path:
    """2,000 rows of a plant whose use of power goes by hour, weekday and days since a service."""
    draw = np.random.default_rng(6)
    hours = np.sort(draw.uniform(0, 500 * DAY_H, 2_000))
    moments = [START + timedelta(hours=float(h)) for h in hours]
    service = np.array([draw.uniform(0, 90) for _ in hours])
    serviced = [m - timedelta(days=float(d)) for m, d in zip(moments, service, strict=True)]
    hour = np.array([m.hour for m in moments])
    weekend = np.array([m.weekday() >= 5 for m in moments])
    power = 50 + 12 * np.sin(2 * np.pi * hour / DAY_H) - 15 * weekend + 0.2 * service
    table = {
        "measured_at": np.array([m.isoformat(" ", "minutes") for m in moments]),
        "last_service": np.array([s.date().isoformat() for s in serviced]),
        "outside_c": draw.normal(12, 6, 2_000),
        "power_kw": power + draw.normal(0, 3, 2_000),
    }
    return write_csv(folder, table)


def fifty_thousand(folder: Path) -> Path:
    """50,000 rows of twelve numbers and two categories that act together."""
    draw = np.random.default_rng(7)
    rows = 50_000
    x = draw.normal(0, 1, (rows, 12))
    line, shift = draw.integers(0, 8, rows), draw.integers(0, 3, rows)
    slope = draw.normal(0, 3, (8, 3))
    wear = slope[line, shift] * x[:, 0] + 4 * np.abs(x[:, 1]) + 3 * x[:, 2] * x[:, 3]
    table = numbers("sensor", x) | {
        "line": np.array([f"line {k}" for k in line]),
        "shift": np.array(["early", "late", "night"])[shift],
        "wear_um": wear + draw.normal(0, 2, rows),
    }
    return write_csv(folder, table)


def breast_cancer(folder: Path) -> Path:
    """569 rows of 30 numbers, packaged with scikit-learn."""
    return packaged(folder, "load_breast_cancer")


def wine(folder: Path) -> Path:
    """178 rows of 13 numbers, packaged with scikit-learn."""
    return packaged(folder, "load_wine")


def digits(folder: Path) -> Path:
    """1,797 rows of 64 whole numbers, packaged with scikit-learn."""
    return packaged(folder, "load_digits")


def diabetes(folder: Path) -> Path:
    """442 rows of ten numbers, packaged with scikit-learn."""
    return packaged(folder, "load_diabetes")


def packaged(folder: Path, loader: str) -> Path:
    """A table of scikit-learn's, its target in the column `target`, classes by their names."""
    from sklearn import datasets

    found = getattr(datasets, loader)()
    table = pd.DataFrame(found.data, columns=[str(n) for n in found.feature_names])
    classes = getattr(found, "target_names", None)
    target = found.target
    if classes is not None:
        target = np.array([f"class {name}" for name in classes])[target]
    return write_csv(folder, table.assign(target=target))


def numbers(name: str, x_NK: np.ndarray) -> Columns:
    """One named column for each of K columns of numbers."""
    return {f"{name}_{k + 1}": x_NK[:, k] for k in range(x_NK.shape[1])}


def write_csv(folder: Path, table: Columns | pd.DataFrame) -> Path:
    """The table as a CSV file."""
    path = folder / "table.csv"
    pd.DataFrame(table).to_csv(path, index=False, float_format="%.6g")
    return path
