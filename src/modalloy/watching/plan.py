"""When and how a served model is refreshed: by the section `refresh` of its job, or by a file."""

from pathlib import Path

from pydantic import ValidationError

from modalloy.adaptation.asked import half_life
from modalloy.deployment.deployment import Deployment
from modalloy.errors import JobError, RunError
from modalloy.job import config
from modalloy.job.lined_yaml import read_page

FILE = "refresh.yaml"


def plan_of(deployment: Deployment) -> config.Refresh:
    """What `refresh.yaml` in the deployment's folder says, else the model's job.

    The file holds what the section of a job does: a run keeps the job that it was trained by.
    Raises JobError where it holds something else.
    """
    file = deployment.path / FILE
    if file.is_file():
        return read_plan(file)
    from modalloy.bundle.bundled import load_any

    return load_any(deployment.current().path).job.refresh


def read_plan(file: Path) -> config.Refresh:
    """A plan as a file of its own."""
    try:
        page = read_page(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{file}: cannot be read ({error}).") from error
    if page.faults:
        raise JobError(f"{file}: {page.faults[0]}")
    try:
        return config.Refresh.model_validate({} if page.data is None else page.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise JobError(
            f"{file}: {where}: {first['msg']}; write it as a job's `refresh`."
        ) from error


def seconds(stretch: str) -> float:
    """Seconds of a stretch of time such as `7d`."""
    return half_life(stretch)
