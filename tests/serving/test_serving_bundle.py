"""What serves bundles is loaded without torch, scikit-learn or scipy."""

from test_imports import NEVER_IN_BUNDLES, loaded_by


def test_a_bundle_is_served_without_what_trains() -> None:
    code = "import modalloy.serving.app, modalloy.serving.serve_run, modalloy.deployment.row_log"
    assert not loaded_by(code) & NEVER_IN_BUNDLES
