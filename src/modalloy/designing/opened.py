"""What is asked, opened: the twin or run that it is about, what stands in, and what was tried."""

from collections.abc import Collection
from dataclasses import replace

from modalloy.answer.conformal import fewest
from modalloy.designing.asked import Design
from modalloy.designing.experiments import Experiments, read_experiments
from modalloy.designing.past_run import PastRun, open_past_run
from modalloy.designing.run_space import space_of_run
from modalloy.designing.run_stand_in import stand_in_of
from modalloy.designing.study import Study, study_of
from modalloy.errors import DesignError
from modalloy.twin.twin_file import load_twin


def open_study(asked: Design) -> Study:
    """A search of a twin; of the designs that a run knows where there is none.

    DesignError, TwinError or RunError where one of them is not what is asked for.
    """
    if asked.run is None:
        assert asked.twin is not None, "a design file says a twin or a run"
        return study_of(asked, load_twin(asked.twin))
    past = open_past_run(asked.run, needed=fewest(asked.confidence))
    if asked.twin is None:
        own = space_of_run(past)
        refuse_unread(asked, past, own.twin.variables)
        study, held = study_of(asked, own.twin, units=own.units), own.held
    else:
        study, held = study_of(asked, load_twin(asked.twin)), {}
    outputs = [n for n in study.outputs if n not in study.known]
    return replace(study, run=stand_in_of(past, study.space, outputs, study.units, held))


def refuse_unread(asked: Design, past: PastRun, variables: Collection[str]) -> None:
    """DesignError where a column is set that designs are read without."""
    for name in asked.set:
        if name in past.read and name not in variables:
            raise DesignError(
                f"set: '{name}' ({past.read[name]}) cannot be set: of designs the run reads number "
                "and category columns alone, and those that have only had one value stay at it."
            )


def tried_in(study: Study) -> Experiments | None:
    """What is given in place of runs: rows of experiments, or those that a run has learned from
    where there is no twin; None where runs are made."""
    if study.asked.rows is not None:
        return read_experiments(study, study.asked.rows)
    if study.asked.twin is not None:
        return None
    assert study.run is not None, "without a twin there is a run"
    past = study.run.past
    return Experiments(past.u_ND, study.run.outcomes(), 0, study.asked.run or "")
