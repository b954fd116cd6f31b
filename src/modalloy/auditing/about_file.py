"""What a run's owner says of it: a small YAML file, since no table tells what a model is for."""

from pathlib import Path

from modalloy.errors import JobError
from modalloy.job.lined_yaml import read_page
from modalloy.job.options import did_you_mean

KEYS = {  # what is asked, and how a gap is closed
    "purpose": "what its answers are used for, and by which process",
    "users": "who acts on its answers, and what they have to know",
    "not_for": "which uses it must not be put to",
    "oversight": "who watches it, and who may overrule or stop it",
    "data_origin": "where the rows come from, how they were labelled and by whom",
    "data_licence": "by which right the rows are used",
    "contact": "whom to ask",
}


def read_about(path: Path | None) -> dict[str, str]:
    """What the file says, by key; nothing without a file.

    JobError for a file that is none, for YAML that cannot be read, and for a key that is none, with
    its line. A key with nothing behind it counts as not said.
    """
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise JobError(f"{path}: cannot be read ({why}).") from error
    page = read_page(text)
    faults = [f"{path}:{page.line(f.path) or 1}: {f}" for f in page.faults]
    data = {} if page.data is None else page.data
    if not faults and not isinstance(data, dict):
        faults = [f"{path}: holds no keys; it may hold {', '.join(KEYS)}, each with a sentence."]
    for key, said in data.items() if isinstance(data, dict) else ():
        where = f"{path}:{page.line((key,))}"
        if key not in KEYS:
            faults.append(
                f"{where}: there is no '{key}'.{did_you_mean(key, KEYS)} There are "
                f"{', '.join(KEYS)}."
            )
        elif said is not None and not isinstance(said, str):
            faults.append(f"{where}: {key} is no sentence; write it in words.")
    if faults:
        raise JobError("\n".join(faults))
    return {key: said.strip() for key, said in data.items() if said and said.strip()}
