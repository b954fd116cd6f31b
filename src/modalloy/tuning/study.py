"""The study of a search: its storage, who draws values and who ends trials early, and its trials.

Optuna (Akiba et al. 2019, 1907.10902) keeps each trial with what it tried and how it went, in
SQLite or in any storage that it knows, so that a search goes on after it was killed.
"""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import optuna
from optuna.distributions import IntDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from modalloy.errors import RunError
from modalloy.job.ranges import Between, OneOf, Range
from modalloy.tuning.bandit import BanditSampler
from modalloy.tuning.manner import Manner, Sampler
from modalloy.tuning.space import Space, from_json, to_json

FILE = "study.db"
STARTUP = 6  # trials before a sampler learns from them; half of each is as the job has it
SETTLED = 4  # the first look at which a trial may be ended
SCORED = 4  # trials that are gone through before one is ended
POPULATION = 12  # of NSGA-II
TRIES = 2  # of one trial that dies with its process
WAIT_S = 60  # for another process that writes to SQLite
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def owner_of(out: Path) -> str:
    """Names the folder of a machine whose processes run a trial."""
    return f"{socket.gethostname()}:{out.resolve()}"


def connect(out: Path, url: str | None) -> BaseStorage:
    """The storage of a search, SQLite in its folder by default; RunError where it is not there."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if url is None:
            wait = {"connect_args": {"timeout": WAIT_S}}
            return RDBStorage(f"sqlite:///{(out / FILE).resolve()}", engine_kwargs=wait)
        return optuna.storages.get_storage(url)
    except Exception as error:  # whatever a driver raises is the finding
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(
            f"{url or out / FILE}: this storage cannot be reached ({why}); give the URL of a "
            "database that is there, with its driver installed, or leave --storage out."
        ) from error


def disconnect(storage: BaseStorage) -> None:
    """Let go of a storage's connections."""
    inner = getattr(storage, "_backend", storage)
    if isinstance(inner, RDBStorage):
        inner.remove_session()
        inner.engine.dispose()


def open_study(storage: BaseStorage, name: str, manner: Manner, seed: int) -> Study:
    """The study of this name, made where it is not there; the seed draws what it tries next."""
    directions = [StudyDirection.MAXIMIZE]
    if manner.against is not None:
        directions.append(StudyDirection.MINIMIZE)
    sampler, pruner = sampler_of(manner.sampler, seed), pruner_of(manner)
    try:
        return optuna.create_study(
            storage=storage,
            study_name=name,
            directions=directions,
            sampler=sampler,
            pruner=pruner,
            load_if_exists=True,
        )
    except ValueError as error:
        raise RunError(
            "this study was begun with another --against; go on with that one, or begin another "
            "study."
        ) from error


def sampler_of(kind: Sampler, seed: int) -> BaseSampler:
    """Who draws the values of a trial."""
    match kind:
        case "tpe":  # several workers: a running trial counts as a poor one, so none repeats it
            return TPESampler(
                multivariate=True, n_startup_trials=STARTUP, constant_liar=True, seed=seed
            )
        case "gp":
            return GPSampler(n_startup_trials=STARTUP, seed=seed)
        case "nsga2":
            return NSGAIISampler(population_size=POPULATION, seed=seed)
        case "bandit":
            return BanditSampler(seed)
        case _:
            assert_never(kind)


def pruner_of(manner: Manner) -> BasePruner:
    """Who ends a trial before its time; nobody where there are two goals."""
    if manner.against is not None:
        return NopPruner()
    match manner.pruner:
        case "median":
            return MedianPruner(n_startup_trials=SCORED, n_warmup_steps=SETTLED)
        case "hyperband":
            return HyperbandPruner(min_resource=SETTLED)
        case "none":
            return NopPruner()
        case _:
            assert_never(manner.pruner)


def enqueue_first(study: Study, space: Space, own: Mapping[str, Any], seed: int) -> None:
    """Trial 0 is the job as it is; a few more keep each option with chance 1/2.

    own: the values that the job itself has. Few options at once are changed so: a job is mostly
    good already, and far away from it in all of them at once little is.
    """
    known = {p: code(v, space[p]) for p, v in own.items() if p in space and space[p].holds(v)}
    study.enqueue_trial(known, user_attrs={"default": True})
    draw = np.random.default_rng(seed)
    for _ in range(STARTUP - 1):
        study.enqueue_trial({path: v for path, v in known.items() if draw.random() < 0.5})


def code(value: Any, values: Range) -> Any:
    """A value as Optuna keeps it: choices that are lists as JSON, multiples by their number."""
    match values:
        case Between(log=True, whole=True, step=step):
            return value // step
        case Between():
            return value
        case OneOf():
            plain = isinstance(value, str | int | float | bool) or value is None
            return value if plain else json.dumps(value)
        case _:
            assert_never(values)


def suggested(trial: Trial, space: Space, own: Mapping[str, Any]) -> dict[str, Any]:
    """What a trial tries, by path; of trial 0 nothing but the job's own values is tried."""
    default = trial.user_attrs.get("default", False)
    found = {}
    for path, values in space.items():
        if default and not (path in own and values.holds(own[path])):
            continue
        found[path] = suggest(trial, path, values)
    return found


def suggest(trial: Trial, path: str, values: Range) -> Any:
    """The value of one option."""
    match values:
        case OneOf():
            by_code = {code(v, values): v for v in values.values}
            return by_code[trial.suggest_categorical(path, list(by_code))]
        case Between(low, high, log, whole=False):
            return trial.suggest_float(path, float(low), float(high), log=log)
        case Between(low, high, log, step=step):
            if not log:
                return trial.suggest_int(path, int(low), int(high), step=step)
            return step * trial.suggest_int(path, int(low) // step, int(high) // step, log=True)
        case _:
            assert_never(values)


def keep_space(study: Study, space: Space, ranges: Mapping[str, Any]) -> None:
    """Write what is tried into the study, for whoever takes part; ranges: the job's own."""
    study.set_user_attr("space", {"ranges": dict(ranges), "values": to_json(space)})


def space_in(study: Study) -> Space:
    """What the study tries."""
    return from_json(study.user_attrs["space"]["values"])


def refuse_other_forms(study: Study, space: Space) -> None:
    """RunError where an option was tried in another form: Optuna compares choices by their place,
    and numbers by whether they are whole and whether their logarithm counts. Bounds may change.
    """
    before = {n: d for t in study.get_trials(deepcopy=False) for n, d in t.distributions.items()}
    for path, values in space.items():
        then = before.get(path)
        if then is None:
            continue
        choices = getattr(then, "choices", None)
        form = (isinstance(then, IntDistribution), getattr(then, "log", False))
        match values:
            case OneOf():
                alike = choices == tuple(code(v, values) for v in values.values)
            case Between():
                alike = choices is None and form == (values.whole, values.log)
            case _:
                assert_never(values)
        if not alike:
            numbers = f"{'whole ' * form[0]}numbers{' by their logarithm' * form[1]}"
            raise RunError(
                f"tune.{path}: this study has tried {list(choices) if choices else numbers} until "
                "now; stay with these, or begin another study."
            )


def next_trial(study: Study, owner: str, most: int | None) -> Trial | None:
    """A trial of this process; None where as many as there shall be have begun, elsewhere too."""

    def begun(before: int | None = None) -> int:
        some = study.get_trials(deepcopy=False, states=COUNTED)
        return sum(before is None or t.number < before for t in some)

    if most is not None and begun() >= most:
        return None
    trial = study.ask()
    trial.set_user_attr("owner", owner)
    if most is not None and begun(trial.number) >= most:  # another process was quicker
        study.tell(trial, state=TrialState.FAIL)
        return None
    return trial


def revive(study: Study, owner: str, *, ownerless: bool) -> int:
    """Enqueue anew what died with its process, of this folder alone; how many trials these were.

    ownerless: those too that died before they could say whose they are. A trial that dies again and
    again is given up.
    """
    dead = [t for t in study.get_trials(states=(TrialState.RUNNING,)) if owned(t, owner, ownerless)]
    for trial in dead:
        study.tell(trial.number, state=TrialState.FAIL)
        tries = trial.user_attrs.get("tries", 1)
        if tries < TRIES:
            default = {"default": True} if trial.user_attrs.get("default") else {}
            study.enqueue_trial(trial.params, user_attrs={**default, "tries": tries + 1})
    return len(dead)


def owned(trial: FrozenTrial, owner: str, ownerless: bool) -> bool:
    """Whether a trial ran in this folder."""
    said = trial.user_attrs.get("owner")
    return said == owner or (said is None and ownerless)
