"""Where a run's answers stop being worth anything, as far as it knows that itself."""

from modalloy.auditing.chapter import Chapter, Gap, Known
from modalloy.report.caveats import doubts
from modalloy.report.unlike import say_unlike
from modalloy.unlike.kept import likeness_of


def limits(known: Known) -> Chapter:
    """What speaks against it, and whether it sees a row that is unlike all that it learned from."""
    found, run = Chapter("limits", "Limits"), known.run
    found.said.append("The ranges and names that training saw stand in the data sheet.")
    if known.report is not None:
        found.said += [said.rstrip(".") + "." for said in doubts(run, known.report)]
    if likeness_of(run) is None:
        what = "It does not see rows that are unlike all that it learned from"
        found.gaps.append(Gap(what, "unlike: {use: auto} in the job, and train anew"))
    elif known.report is not None and known.report.unlike:
        found.said.append(say_unlike(known.report.unlike))
    if run.hidden:
        found.said.append(f"It no longer reads {', '.join(sorted(run.hidden))}.")
    return found
