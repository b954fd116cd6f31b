"""What the parts of a job say against one another, without looking at the table.

The data may be half wrong: a rule looks at the parts that can be read and keeps quiet about others.
"""

from collections.abc import Iterator
from typing import Any, get_args

from modalloy.job.config import (
    Attention,
    Beside,
    Fusion,
    Method,
    Number,
    Options,
    Pretrain,
    Text,
    Train,
    Trunk,
)
from modalloy.job.cost_rules import broken_costs
from modalloy.job.count_rules import broken_counts
from modalloy.job.faults import Fault, quoted
from modalloy.job.federate_rules import broken_federation
from modalloy.job.options import did_you_mean, listed
from modalloy.job.ranges import broken_ranges
from modalloy.job.space_rules import broken_spaces
from modalloy.job.text_rules import broken_hearing, broken_writing

Groups = dict[str, dict[str, Any]]

TABULAR = ("number", "category", "time")
MEDIA = ("vector", "text", "tokens", "image", "audio", "series")
DRAWN = ("image", "series", "audio")  # types of columns in which what follows can be predicted
CHANGES = ("flip", "rotate", "gain", "jitter")  # augmentations that no default asks for
BESIDE = get_args(Method)  # ways of learning beside the layers of a network
WAYS = ("masked", "contrast", "matching", "autoregress")  # to learn without labels
NEEDS_RATE = ("spectrum", "envelope", "order")


def broken_rules(data: Any) -> Iterator[Fault]:
    """Everything that no single option shows."""
    if not isinstance(data, dict):
        return
    columns, tasks = groups(data, "columns"), groups(data, "tasks")
    yield from _something_to_learn(data, columns)
    for name, options in columns.items():
        yield from _trunk(name, options, _starts(data.get("train")))
        if options.get("type") == "number":
            yield from _number(name, options)
        if options.get("type") == "series":
            yield from _series(name, options)
        if options.get("type") in ("text", "tokens"):
            yield from broken_hearing(("columns", name), options, columns)
        if options.get("all_views") is True and options.get("augment") not in ("flip", "rotate"):
            why = "needs augment: flip or rotate, which say what views there are."
            yield Fault(("columns", name, "all_views"), why)
    yield from _targets_are_hidden(columns, tasks)
    for name, options in tasks.items():
        yield from _task(name, options, columns)
    yield from _split(data.get("split"), columns, tasks)
    yield from _heads(data.get("fuse"))
    yield from _adapted(data, columns)
    yield from _auxiliary(data.get("fuse"), columns, tasks)
    yield from _smoothing(data.get("train"), tasks)
    yield from _weighting(data.get("train"), tasks)
    yield from _pretrained(data.get("train"), columns)
    yield from _passes(data.get("train"))
    yield from _pretrain(data.get("pretrain"))
    yield from _costs(data.get("economize"), columns)
    yield from broken_spaces(data.get("pretrain"), columns)
    yield from _predicted(data.get("pretrain"), columns)
    yield from broken_federation(data, columns)
    yield from broken_ranges(data)


def _pretrain(pretrain: Any) -> Iterator[Fault]:
    """One way to learn without labels at least."""
    if not isinstance(pretrain, dict):
        return
    usual = [n for n in Pretrain.model_fields if n in WAYS]
    weights = []
    for name in usual:
        asked = pretrain.get(name)
        weight = 1 if name == "masked" else 0
        weights.append(asked.get("weight", weight or 1) if isinstance(asked, dict) else weight)
    if all(weight == 0 for weight in weights):
        why = f"leaves no method to learn by: give {listed(usual)} a weight above 0."
        yield Fault(("pretrain",), why)


def _costs(economize: Any, columns: Groups) -> Iterator[Fault]:
    """Costs are of inputs: media columns, and all tabular ones together."""
    costs = economize.get("costs") if isinstance(economize, dict) else None
    kinds = {name: options.get("type") for name, options in columns.items()}
    media = [name for name, kind in kinds.items() if kind in MEDIA]
    inputs = [*(["table"] if len(media) < len(kinds) else []), *media]
    for name in costs if isinstance(costs, dict) else ():
        path = ("economize", "costs", str(name))
        if kinds.get(name) in TABULAR:
            why = "is no input of its own: all number, category and time columns cost as 'table'."
            yield Fault(path, why)
        elif name not in inputs and None not in kinds.values():
            why = f"is no input; there are: {', '.join(inputs)}.{did_you_mean(str(name), inputs)}"
            yield Fault(path, why)


def _predicted(pretrain: Any, columns: Groups) -> Iterator[Fault]:
    """What follows is predicted in pictures, series and recordings."""
    asked = pretrain.get("autoregress") if isinstance(pretrain, dict) else None
    if not isinstance(asked, dict):
        return
    path, kinds = ("pretrain", "autoregress"), {n: o.get("type") for n, o in columns.items()}
    if None not in kinds.values() and not set(DRAWN).intersection(kinds.values()):
        yield Fault(path, "has no picture, series or recording to predict; take it out.")
        return
    named = asked.get("columns")
    for name in named if isinstance(named, list | tuple) else ():
        kind = kinds.get(str(name))
        if str(name) not in kinds:
            why = f"there is no column '{name}'.{did_you_mean(str(name), list(kinds))}"
            yield Fault((*path, "columns"), why)
        elif kind is not None and kind not in DRAWN:
            why = f"'{name}' is of type {kind}; pictures, series and recordings are drawn."
            yield Fault((*path, "columns"), why)


def groups(data: dict[str, Any], key: str) -> Groups:
    """The entries of `columns` or `tasks` that are groups of options."""
    found = data.get(key)
    if not isinstance(found, dict):
        return {}
    return {name: options for name, options in found.items() if isinstance(options, dict)}


def _something_to_learn(data: dict[str, Any], columns: Groups) -> Iterator[Fault]:
    """One input and one task at least; no input may bear the name that tabular columns share."""
    kinds = [options.get("type") for options in columns.values()]
    none_is_broken = isinstance(data.get("columns"), dict) and len(columns) == len(data["columns"])
    if none_is_broken and all(kind in ("group", "ignore") for kind in kinds):
        why = "must name at least one input; columns of type group and ignore are none."
        yield Fault(("columns",), why)
    if data.get("tasks") == {}:
        yield Fault(("tasks",), "must hold at least one task, as in fault: {type: classify, ...}.")
    if columns.get("table", {}).get("type") not in (None, "group", "ignore"):
        why = "the name 'table' is taken by all tabular columns together; rename the column."
        yield Fault(("columns", "table"), why)


def _trunk(name: str, options: dict[str, Any], started: bool) -> Iterator[Fault]:
    """Options that only one kind of encoder reads, asked for under the other."""
    encoder = options.get("encoder", _default(Trunk, "encoder"))
    tune = options.get("tune", _default(Trunk, "tune"))
    path = ("columns", name)
    if encoder == "scratch" and tune in ("frozen", "last_n"):
        yield Fault((*path, "tune"), f"{tune} needs a pretrained encoder; this one is scratch.")
    resonant = bool(options.get("resonances"))
    if resonant and encoder != "scratch":
        why = f"are heard in place of {quoted(encoder)}; take one of the two away."
        yield Fault((*path, "resonances"), why)
    front = options.get("front")
    if tune in BESIDE and resonant:
        why = f"{tune} has nothing to stand beside: resonances are found, not learned."
        yield Fault((*path, "tune"), why)
    elif tune in BESIDE and isinstance(front, list) and not {"learned", "convolution"} & set(front):
        why = f"{tune} has nothing to stand beside: no front of this series is learned."
        yield Fault((*path, "tune"), why)
    elif encoder == "scratch" and tune in BESIDE and not started:
        why = f"{tune} needs weights to stand beside; take a pretrained encoder, or train.start."
        yield Fault((*path, "tune"), why)
    yield from _beside(path, tune, options.get("adapter"))
    if encoder != "scratch":
        for option, group in (("size", Trunk), ("vocabulary", Text)):
            if options.get(option, _default(group, option)) != _default(group, option):
                why = f"is for encoder: scratch; {quoted(encoder)} brings its own."
                yield Fault((*path, option), why)
    if tune != "last_n" and options.get("last_n", 2) != _default(Trunk, "last_n"):
        yield Fault((*path, "last_n"), f"is for tune: last_n. Got tune: {tune}.")
    if _is_frozen(options) and options.get("augment") in CHANGES and not options.get("all_views"):
        why = "has no effect: a frozen encoder sees each cell once; take it away, or change tune."
        yield Fault((*path, "augment"), why)


def _starts(train: Any) -> bool:
    """Whether a training goes on from an earlier run's weights."""
    return isinstance(train, dict) and train.get("start") is not None


def _beside(path: tuple[str, ...], tune: Any, adapter: Any) -> Iterator[Fault]:
    """Options of what stands beside layers, without it or of another method."""
    if not isinstance(adapter, dict):
        return
    asked = [
        o for o in Beside.model_fields if adapter.get(o, _default(Beside, o)) != _default(Beside, o)
    ]
    if asked and tune not in BESIDE:
        yield Fault((*path, "adapter"), f"is for tune: {' | '.join(BESIDE)}. Got tune: {tune}.")
        return
    unread = {"ia3": ("rank", "alpha"), "layernorm": tuple(Beside.model_fields), "vera": ("alpha",)}
    for option in asked:
        if option in unread.get(tune, ()):
            yield Fault((*path, "adapter", option), f"is not read by {tune}; take it away.")


def _adapted(data: dict[str, Any], columns: Groups) -> Iterator[Fault]:
    """A fusion begins from nothing without an earlier run; ranks shrink by the count of steps."""
    fuse, train = data.get("fuse"), data.get("train")
    tune = fuse.get("tune", "full") if isinstance(fuse, dict) else "full"
    if isinstance(fuse, dict):
        if tune in BESIDE and not _starts(train):
            yield Fault(("fuse", "tune"), f"{tune} needs weights to stand beside; set train.start.")
        yield from _beside(("fuse",), tune, fuse.get("adapter"))
    tunes = [tune, *(options.get("tune") for options in columns.values())]
    if "adalora" in tunes and isinstance(train, dict) and train.get("minutes") is not None:
        why = (
            "does not say how many steps there are, by which adalora shrinks its ranks; set epochs."
        )
        yield Fault(("train", "minutes"), why)


def _number(name: str, options: dict[str, Any]) -> Iterator[Fault]:
    """Bins belong to the embeddings that have some."""
    usual = _default(Number, "bins")
    if options.get("embed") == "linear" and options.get("bins", usual) != usual:
        why = "is for embed: piecewise or periodic. Got embed: linear."
        yield Fault(("columns", name, "bins"), why)


def _series(name: str, options: dict[str, Any]) -> Iterator[Fault]:
    """What the spectra need, what the shaft speed needs, and channels without a repeat."""
    path = ("columns", name)
    yield from _repeats((*path, "from"), options.get("from"))
    has_rpm, has_rate = (options.get(key) is not None for key in ("rpm", "rate_hz"))
    if has_rpm and not has_rate and "front" not in options:
        why = "needs rate_hz, samples a second; without it turns of the shaft are not counted."
        yield Fault((*path, "rpm"), why)
    front = options.get("front")
    if not isinstance(front, list):  # left out, it is what the other options allow
        return
    if not front:
        yield Fault((*path, "front"), "must name at least one front.")
    encoder = options.get("encoder", "scratch")
    if encoder != "scratch" and front and "learned" not in front:
        why = f"{quoted(encoder)} takes the place of the learned front; add learned to front."
        yield Fault((*path, "encoder"), why)
    if "learned" in front and "convolution" in front:
        why = "names learned and convolution; take one of them away."
        yield Fault((*path, "front"), why)
    rockets = [part for part in front if part in ("convolution", "minirocket", "hydra")]
    if encoder != "scratch" and rockets:
        why = f"{listed(rockets)} does not stand beside {quoted(encoder)}; take one away."
        yield Fault((*path, "front"), why)
    hungry = [part for part in front if part in NEEDS_RATE]
    if hungry and not has_rate:
        yield Fault((*path, "front"), f"{listed(hungry)} needs rate_hz, samples a second.")
    if "order" in front and not has_rpm:
        yield Fault((*path, "front"), "order needs rpm, the shaft speed in turns a minute.")
    if has_rpm and front and "order" not in front:
        why = "is read by the order front alone; add order to front, or take rpm away."
        yield Fault((*path, "rpm"), why)
    size = options.get("size", _default(Trunk, "size"))
    learned = "learned" in front or "convolution" in front
    if encoder == "scratch" and not learned and size != _default(Trunk, "size"):
        yield Fault((*path, "size"), "is for the learned front, which front does not name.")
    yield from _repeats((*path, "front"), front)


def _repeats(path: tuple[str, ...], names: Any) -> Iterator[Fault]:
    """A name twice in a list."""
    if isinstance(names, list):
        for name in sorted({n for n in names if isinstance(n, str) and names.count(n) > 1}):
            yield Fault(path, f"names {quoted(name)} twice.")


def _targets_are_hidden(columns: Groups, tasks: Groups) -> Iterator[Fault]:
    """No input reads what a task must answer."""
    for task, options in tasks.items():
        for key in ("target", "labels"):
            target = options.get(key)
            if not isinstance(target, str) or (key == "labels" and options.get("type") != "locate"):
                continue
            for path, why in _readers_of(target, columns):
                told = f"is the {key} of task {quoted(task)}; the model would see its own answer."
                yield Fault(path, f"{quoted(target)} {told} {why}")


def _readers_of(target: str, columns: Groups) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every place where an input reads this table column, and what to do about it."""
    for name, options in columns.items():
        reads_itself = options.get("type") in TABULAR + MEDIA and not options.get("from")
        if name == target and reads_itself:
            yield ("columns", name), "Take the column out, or give it type: ignore."
        if options.get("type") == "time" and options.get("since") == target:
            yield ("columns", name, "since"), "Name another column."
        if options.get("type") == "series":
            channels = options.get("from")
            if isinstance(channels, list) and target in channels:
                yield ("columns", name, "from"), "Take it out of the channels."
            if options.get("rpm") == target:
                yield ("columns", name, "rpm"), "Name another column."


def _task(name: str, options: dict[str, Any], columns: Groups) -> Iterator[Fault]:
    """A task looks at columns of the right type; its quantiles and its bounds rise."""
    path = ("tasks", name)
    match options.get("type"):
        case "tag":
            yield from _looks_at((*path, "on"), options.get("on"), "tokens", columns)
        case "locate":
            yield from _looks_at((*path, "on"), options.get("on"), "image", columns)
            yield from _looks_at((*path, "template"), options.get("template"), "image", columns)
            for key in ("on", "template"):
                if _is_frozen(columns.get(str(options.get(key)), {})):
                    why = f"{quoted(options[key])} is frozen and keeps no maps to find boxes on; "
                    yield Fault((*path, key), why + "set its tune to full or last_n.")
            if options.get("queries") is not None and options.get("head", "dense") != "detr":
                yield Fault((*path, "queries"), "is for head: detr. Got head: dense.")
            if options.get("template") is not None and options["template"] == options.get("on"):
                yield Fault((*path, "template"), "must be another column than 'on'.")
        case "regress":
            quantiles = options.get("quantiles", [])
            if _numbers(quantiles) and sorted(set(quantiles)) != quantiles:
                why = f"must rise, as in [0.05, 0.5, 0.95]. Got {quoted(quantiles)}."
                yield Fault((*path, "quantiles"), why)
            bounds: list[Any] = [options.get("lowest"), options.get("highest")]
            if _numbers(bounds) and sorted(set(bounds)) != bounds:
                why = f"must be above lowest {bounds[0]}. Got {bounds[1]}."
                yield Fault((*path, "highest"), why)
            yield from broken_counts(path, options, columns)
        case "generate":
            yield from broken_writing(path, options)
            yield from _beside(path, options.get("tune", "lora"), options.get("adapter"))
        case "classify" if isinstance(options.get("decide"), dict):
            yield from broken_costs((*path, "decide"), options)


def _is_frozen(options: dict[str, Any]) -> bool:
    """Whether a pretrained encoder stays as it is."""
    return options.get("tune") == "frozen" and options.get("encoder", "scratch") != "scratch"


def _numbers(values: Any) -> bool:
    """Whether this is a list of numbers."""
    return isinstance(values, list) and all(isinstance(v, int | float) for v in values)


def _looks_at(path: tuple[str, ...], column: Any, kind: str, columns: Groups) -> Iterator[Fault]:
    """`column` must be an input of this type."""
    if not isinstance(column, str) or columns.get(column, {}).get("type") == kind:
        return
    fitting = [name for name, options in columns.items() if options.get("type") == kind]
    got = columns.get(column, {}).get("type")
    found = f"is of type {got}" if isinstance(got, str) else "is not among the columns"
    near = did_you_mean(column, fitting) or (
        f" There: {', '.join(fitting)}." if fitting else f" Add one: {column}: {{type: {kind}}}."
    )
    yield Fault(path, f"must name a column of type {kind}; {quoted(column)} {found}.{near}")


def _split(split: Any, columns: Groups, tasks: Groups) -> Iterator[Fault]:
    """A split column is no input, times are no media, and no target splits the rows.

    `by` may name any column: rows with the same picture or question belong together.
    """
    if not isinstance(split, dict):
        return
    targets = {str(options.get("target")): name for name, options in tasks.items()}
    for way in ("column", "by", "time"):
        column = split.get(way)
        if not isinstance(column, str):
            continue
        kind = columns.get(column, {}).get("type")
        unfit = {"column": TABULAR + MEDIA, "by": (), "time": MEDIA}
        if kind in unfit[way]:
            why = f"{quoted(column)} is an input of type {kind}; rows cannot be split by it."
            yield Fault(("split", way), why)
        if column in targets:
            why = f"{quoted(column)} is the target of task {quoted(targets[column])}; name another."
            yield Fault(("split", way), why)


def _heads(fuse: Any) -> Iterator[Fault]:
    """Attention heads share the width evenly."""
    if not isinstance(fuse, dict) or fuse.get("type") not in ("attention", "bottleneck"):
        return
    heads = fuse.get("heads", _default(Attention, "heads"))
    width = fuse.get("width", _default(Fusion, "width"))
    if not isinstance(heads, int) or not isinstance(width, int) or heads < 1 or width % 8:
        return  # what is wrong here is told already
    if width % heads:
        yield Fault(("fuse", "heads"), f"must divide width {width}. Got {heads}.")


def _auxiliary(fuse: Any, columns: Groups, tasks: Groups) -> Iterator[Fault]:
    """Single modalities have heads of their own where there are several, and answers for rows."""
    if not isinstance(fuse, dict) or fuse.get("auxiliary") in (
        None,
        0,
        _default(Fusion, "auxiliary"),
    ):
        return
    kinds = [options.get("type") for options in columns.values()]
    media = sum(kind in MEDIA for kind in kinds)
    if all(kind in (*TABULAR, *MEDIA, "group", "ignore") for kind in kinds) and (
        media + any(kind in TABULAR for kind in kinds) == 1
    ):
        why = "is for several inputs, and there is one (all tabular columns together are one)."
        yield Fault(("fuse", "auxiliary"), why)
    elif tasks and all(
        options.get("type") in ("tag", "locate", "generate") for options in tasks.values()
    ):
        why = "is for classify and regress tasks; single inputs answer no others."
        yield Fault(("fuse", "auxiliary"), why)


def _smoothing(train: Any, tasks: Groups) -> Iterator[Fault]:
    """Only classes can be smoothed."""
    if not isinstance(train, dict) or train.get("label_smoothing") in (None, 0):
        return
    if tasks and all(options.get("type") in ("regress", "locate") for options in tasks.values()):
        why = "is for classify, tag and generate tasks, and there is none."
        yield Fault(("train", "label_smoothing"), why)


def _weighting(train: Any, tasks: Groups) -> Iterator[Fault]:
    """One task has nothing to be weighed against."""
    if not isinstance(train, dict) or len(tasks) != 1:
        return
    if train.get("weighting") in ("famo", "pcgrad"):
        why = f"{train['weighting']} is for several tasks, and there is one; take it away."
        yield Fault(("train", "weighting"), why)


def _pretrained(train: Any, columns: Groups) -> Iterator[Fault]:
    """Only pretrained encoders that change have a rate of their own and can wait a few epochs."""
    if not isinstance(train, dict):
        return
    trunks = [
        options for options in columns.values() if options.get("encoder", "scratch") != "scratch"
    ]
    if any(not _is_frozen(options) for options in trunks):
        return
    there = "they are all frozen" if trunks else "there is none"
    for option in ("encoder_lr", "frozen_first", "freeze_epochs"):
        if train.get(option, _default(Train, option)) != _default(Train, option):
            why = f"is for pretrained encoders that change, and {there}; take it away."
            yield Fault(("train", option), why)


def _passes(train: Any) -> Iterator[Fault]:
    """Passes, steps or minutes say how long to train, one of them; folds are at least two."""
    if not isinstance(train, dict):
        return
    if train.get("folds") == 1:
        yield Fault(("train", "folds"), "is 1; two folds are the fewest, and 0 takes none.")
    if train.get("minutes") is not None:
        for option in ("epochs", "least_steps", "folds", "refit"):
            if train.get(option, _default(Train, option)) not in (_default(Train, option), 0):
                why = (
                    "has no place beside minutes, which alone say how long to train; take one away."
                )
                yield Fault(("train", option), why)
        return
    if train.get("epochs", "auto") == "auto":
        return
    if train.get("least_steps", _default(Train, "least_steps")) != _default(Train, "least_steps"):
        why = f"is for `epochs: auto`, and epochs is {train['epochs']}; take one of them away."
        yield Fault(("train", "least_steps"), why)


def _default(group: type[Options], option: str) -> Any:
    """The value that config.py gives an option which is left out."""
    return group.model_fields[option].default
