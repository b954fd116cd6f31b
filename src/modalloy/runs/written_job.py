"""The job that a run wrote, read as it stands: what was allowed then is not judged anew.

`load_job` holds what a user writes against today's bounds and rules. A run was trained long ago, by
another version perhaps; nothing of it can be changed any more, and no file that it names needs to
be there. Only names that this version has no place for are refused.
"""

from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from modalloy.errors import RunError
from modalloy.job.config import Job, Options
from modalloy.job.job_file import absolute

Group = TypeVar("Group", bound=Options)
Where = tuple[str, ...]  # the run's job file, then the keys that lead to a spot in it


def read_written(path: Path) -> dict[str, Any]:
    """The plain data of a run's job file; RunError where it is not what training wrote."""
    from modalloy.job.lined_yaml import read_page  # bundles hold no YAML

    try:
        page = read_page(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: cannot be read ({error}).") from error
    if page.faults or not isinstance(page.data, dict):
        raise RunError(f"{path}: is not what training wrote; restore it, or train again.")
    return page.data


def job_from(data: Mapping[str, Any], path: Path) -> Job:
    """The job of a run in the present format. RunError names an option that is not known here.

    path: its file, whose folder is where a relative table starts.
    """
    job = _group(Job, data, (str(path),))
    return job.model_copy(update={"table": absolute(job.table, path.parent)})


def _group(kind: type[Group], data: Any, where: Where) -> Group:
    """Options as they were written; one that is left out has its default."""
    names = {field.alias or name: name for name, field in kind.model_fields.items()}
    values = {}
    for key, value in _mapping(data, where).items():
        if key not in names:
            raise _unknown(where, f"an option {key!r}")
        values[names[key]] = _value(kind.model_fields[names[key]].annotation, value, (*where, key))
    if lacking := [n for n, f in kind.model_fields.items() if f.is_required() and n not in values]:
        raise RunError(f"{_say(where)}: lacks {lacking[0]!r}; restore the file, or train again.")
    return kind.model_construct(**values)


def _value(annotation: Any, value: Any, where: Where) -> Any:
    """A value of this type: groups are built, lists become tuples, all else stays as it is."""
    if get_origin(annotation) is Annotated:
        return _value(get_args(annotation)[0], value, where)
    if get_origin(annotation) is dict:
        entries = _mapping(value, where).items()
        return {key: _value(get_args(annotation)[1], one, (*where, key)) for key, one in entries}
    if isinstance(value, list):
        return tuple(value)
    union = get_origin(annotation) in (Union, UnionType)
    members = get_args(annotation) if union else (annotation,)
    kinds = [m for m in members if isinstance(m, type) and issubclass(m, Options)]
    if value is None or not kinds:
        return value
    return _group(_member(kinds, value, where), value, where)


def _member(kinds: list[type[Options]], data: Any, where: Where) -> type[Options]:
    """The group of options that `type` names, where there are several."""
    if len(kinds) == 1:
        return kinds[0]
    named = _mapping(data, where).get("type")
    for kind in kinds:
        if kind.model_fields["type"].default == named:
            return kind
    raise _unknown(where, f"type {named!r}")


def _mapping(data: Any, where: Where) -> dict[str, Any]:
    if isinstance(data, dict):
        return data
    raise RunError(f"{_say(where)}: is no group of options; restore the file, or train again.")


def _unknown(where: Where, what: str) -> RunError:
    return RunError(
        f"{_say(where)}: has {what}, which this version does not know; use the version of modalloy "
        "that run.json names, or a newer one."
    )


def _say(where: Where) -> str:
    """`run/job.yaml: columns.photo`."""
    file, *keys = where
    return f"{file}: {'.'.join(keys)}" if keys else file
