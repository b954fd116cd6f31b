"""The verbs of Modalloy, one table in, one model out: `import modalloy as ma`.

Each verb is imported when it is first used, so that `import modalloy` needs neither torch nor time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modalloy.errors import (
    FederationError,
    JobError,
    LeakError,
    ModalloyError,
    RunError,
    TableError,
    TwinError,
)

__version__ = "0.1.0"

__all__ = [
    "Conversation",
    "FederationError",
    "JobError",
    "LeakError",
    "ModalloyError",
    "Predictor",
    "RunError",
    "Searcher",
    "TableError",
    "TwinError",
    "adapt",
    "calibrate",
    "calibrate_twin",
    "check",
    "compare",
    "compress",
    "demo",
    "design",
    "doctor",
    "draw",
    "economize",
    "evaluate",
    "evidence",
    "explain",
    "export",
    "federate",
    "harden",
    "init",
    "load_job",
    "load_run",
    "load_twin",
    "nearest_designs",
    "predict",
    "predict_into",
    "pretrain",
    "rollback",
    "search",
    "serve",
    "simulate",
    "site",
    "train",
    "tune",
    "verify_evidence",
    "verify_wheelhouse",
    "watch",
    "wheelhouse",
]

if TYPE_CHECKING:
    from modalloy.answer.predictor import Predictor
    from modalloy.auditing.seal import verify_evidence
    from modalloy.auditing.write_evidence import evidence
    from modalloy.comparing.compare_runs import compare
    from modalloy.deployment.rollback import rollback
    from modalloy.designing.changes import nearest_designs
    from modalloy.designing.simulate_verb import simulate
    from modalloy.designing.verb import design
    from modalloy.diagnosis import doctor
    from modalloy.federation.verb import federate, site
    from modalloy.job.job_file import load_job
    from modalloy.offline.make_wheelhouse import verify_wheelhouse, wheelhouse
    from modalloy.retrieval.conversation import Conversation
    from modalloy.retrieval.searcher import Searcher
    from modalloy.runs.run import load_run
    from modalloy.twin.calibrate import calibrate_twin
    from modalloy.twin.twin_file import load_twin
    from modalloy.verbs import (
        adapt,
        calibrate,
        check,
        compress,
        demo,
        draw,
        economize,
        evaluate,
        explain,
        export,
        harden,
        init,
        predict,
        predict_into,
        pretrain,
        search,
        serve,
        train,
        tune,
        watch,
    )

_HOMES = {
    "init": "verbs",
    "check": "verbs",
    "pretrain": "verbs",
    "train": "verbs",
    "tune": "verbs",
    "evaluate": "verbs",
    "explain": "verbs",
    "search": "verbs",
    "draw": "verbs",
    "predict": "verbs",
    "predict_into": "verbs",
    "calibrate": "verbs",
    "economize": "verbs",
    "harden": "verbs",
    "compress": "verbs",
    "adapt": "verbs",
    "export": "verbs",
    "serve": "verbs",
    "watch": "verbs",
    "demo": "verbs",
    "federate": "federation.verb",
    "site": "federation.verb",
    "simulate": "designing.simulate_verb",
    "calibrate_twin": "twin.calibrate",
    "design": "designing.verb",
    "nearest_designs": "designing.changes",
    "rollback": "deployment.rollback",
    "compare": "comparing.compare_runs",
    "evidence": "auditing.write_evidence",
    "verify_evidence": "auditing.seal",
    "wheelhouse": "offline.make_wheelhouse",
    "verify_wheelhouse": "offline.make_wheelhouse",
    "doctor": "diagnosis",
    "load_job": "job.job_file",
    "load_run": "runs.run",
    "load_twin": "twin.twin_file",
    "Predictor": "answer.predictor",
    "Searcher": "retrieval.searcher",
    "Conversation": "retrieval.conversation",
}


def __getattr__(name: str) -> Any:
    """A verb, imported when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'modalloy' has no attribute '{name}'")
    return getattr(import_module(f"modalloy.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Names for completion, verbs included."""
    return sorted({*globals(), *__all__})
