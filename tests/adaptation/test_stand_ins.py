"""What stands in the place of a hidden channel is what ridge regression says of the others."""

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from modalloy.adaptation.stand_ins import RIDGE, stand_in
from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.readers.series import SeriesReader


def test_it_is_ridge_regression() -> None:
    draw = np.random.default_rng(0)
    x_SC = draw.normal(1, 2, (200, 4))
    x_SC[:, 2] += 3 * x_SC[:, 0] - x_SC[:, 3]
    found = stand_in(x_SC, 2, [0, 3])
    model = Ridge(alpha=RIDGE * 200).fit(x_SC[:, [0, 3]], x_SC[:, 2])
    np.testing.assert_allclose(found[1 + np.array([0, 3])], model.coef_)
    np.testing.assert_allclose(found[0], model.intercept_)
    assert found[1 + 1] == found[1 + 2] == 0.0


def test_a_reader_shows_it_in_the_place_of_the_channel() -> None:
    frame = pd.DataFrame({"a": [[0.0, 1.0, 2.0, 3.0]], "b": [[9.0, 9.0, 9.0, 9.0]]})
    cells = Cells({c: frame[c].tolist() for c in frame}, None, False, ".")  # type: ignore[arg-type]
    options = config.Series.model_validate({"from": ["a", "b"], "length": 4})
    reader = SeriesReader.fit("s", options, cells)
    z_CL = reader.read(cells).values["x"][0]
    hidden = replace(reader, hidden=(1,), stand_ins=(0.5, -2.0, 0.0))
    shown_CL = hidden.read(cells).values["x"][0]
    np.testing.assert_allclose(shown_CL[1], 0.5 - 2.0 * z_CL[0], rtol=1e-6)
    np.testing.assert_array_equal(shown_CL[0], z_CL[0])
    assert SeriesReader.from_state(hidden.state()) == hidden
    middle = replace(reader, hidden=(1,)).read(cells).values["x"][0]
    assert not middle[1].any()
