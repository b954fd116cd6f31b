"""Names of what is written beside bundles: each bundle has its own."""

from pathlib import Path

import pytest

from modalloy.deploy.beside import beside
from modalloy.deploy.compressed_page import pages_of
from modalloy.deploy.parity_page import page_beside
from modalloy.deploy.server_folder import folder_beside


@pytest.mark.parametrize("ending", ["-parity.html", ".compress.html", "-triton"])
def test_a_zip_file_and_folders_of_like_names_have_each_their_own(ending: str) -> None:
    bundles = [Path("x/a.zip"), Path("x/a"), Path("x/a.b"), Path("x/a.b.zip"), Path("x/a.ZIP")]
    assert len({beside(b, ending) for b in bundles}) == len(bundles)


def test_everything_beside_a_folder_is_named_after_the_whole_folder() -> None:
    folder = Path("x/line.3")
    assert page_beside(folder) == Path("x/line.3.folder-parity.html")
    assert folder_beside(folder, "triton") == Path("x/line.3.folder-triton")
    assert [p.name for p in pages_of(folder)] == [
        "line.3.folder.compress.html",
        "line.3.folder.compress.json",
    ]
    assert page_beside(Path("x/model.zip")) == Path("x/model-parity.html")
