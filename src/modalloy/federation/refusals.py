"""What a federation refuses at its door: options that would change nothing, and names of sites that
are none."""

import re
from collections.abc import Iterable

from modalloy.errors import FederationError, JobError
from modalloy.job import config
from modalloy.job.options import did_you_mean

NAME = re.compile(r"[\w][\w .-]*")  # of a site: a folder is called so
# Options of `train` that would be read by nobody: option, what it is when it is not asked for, why.
UNUSED = (
    ("start", None, "all sites begin from the same new weights; go on from a run with `adapt`"),
    ("minutes", None, "sites wait for one another, so that no clock is right for all"),
    ("freeze_epochs", 0, "rounds are no passes; let encoders stay as they are by tune: frozen"),
    ("shard", False, "a site learns in one process"),
)


def refuse_unused(job: config.Job) -> None:
    """JobError for what learning in rounds does not do."""
    for option, usual, why in UNUSED:
        if getattr(job.train, option) != usual:
            raise JobError(f"train.{option}: a federation has none, because {why}; leave it out.")


def refuse_names(sites: Iterable[str], *, dots: bool = True) -> None:
    """FederationError for a name that cannot be a folder's. dots: whether there may be any."""
    for site in sites:
        if not NAME.fullmatch(site) or (not dots and "." in site):
            allowed = "letters, digits, blanks, - and _" + (" and ." if dots else "")
            raise FederationError(
                f"'{site}' cannot be a site's name: take {allowed}, and begin with a letter or a "
                "digit."
            )


def refuse_strangers(job: config.Job, sites: Iterable[str]) -> None:
    """FederationError where `federate.columns` speaks of a site that there is not."""
    known = list(sites)
    for site in job.federate.columns:
        if site not in known:
            raise FederationError(
                f"federate.columns.{site}: no site has that name, and there are "
                f"{', '.join(known)}.{did_you_mean(site, known)}"
            )
