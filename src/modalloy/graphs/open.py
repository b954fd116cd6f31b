"""Which of a branch's variants runs here on which device, and its session."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, assert_never

from modalloy.errors import BundleError
from modalloy.graphs.branch import Branch, Variant
from modalloy.graphs.devices import (
    AUTO,
    Device,
    devices_of,
    openvino_name,
    providers_for,
    refuse_device,
)
from modalloy.graphs.measure import fastest, unable
from modalloy.graphs.session import Session


class Place(NamedTuple):
    """One way to compute a branch here."""

    variant: Variant
    device: Device


def open_session(
    branch: Branch, read: Callable[[str], bytes], *, device: str, threads: int
) -> Session:
    """The session of the first variant that can run here, on the device that is asked for.

    read: of a file of the bundle by its name. device: `cpu`, `gpu`, `npu`, or `auto`. Where several
    places are left, each is measured with the branch's own graph, and the fastest is taken.
    threads: that one run may use. Where an engine does not take a variant, the next one is tried.
    BundleError where none can run, for a device that is not here, and for a part that is damaged.
    """
    places = places_of(branch, device)
    known = {p.variant: [read(n) for n in p.variant.files] for p in places}

    def opened(place: Place) -> Session:
        failure = None
        others = [v for v in branch.variants if v != place.variant]
        for variant in (place.variant, *others):
            if place.device not in devices_of(variant.engine):
                continue
            files = known.get(variant) or [read(name) for name in variant.files]
            try:
                found = session_of(variant, files, device=place.device, threads=threads)
            except Exception as error:  # engines and drivers raise anything
                failure = error
            else:
                found.device = place.device
                return found
        raise unable(branch, failure) from failure

    return opened(places[0]) if len(places) == 1 else fastest(branch, places, opened)


def places_of(branch: Branch, device: str) -> list[Place]:
    """Where a branch can run: on the processor by the first variant that has it here, on other
    devices by the first one of each engine, whose `gpu` may be another one than the other's.

    BundleError where that is nowhere.
    """
    engines = tuple(dict.fromkeys(v.engine for v in branch.variants))
    if not any(devices_of(e) for e in engines):
        raise BundleError(
            f"the graph of {branch.name or 'fusion and heads'} needs one of {', '.join(engines)}; "
            f"run: pip install {engines[0]}"
        )
    refuse_device(device, engines)
    found: dict[tuple[Device, str], Variant] = {}
    for variant, here in usable(branch):
        if device in (AUTO, here):
            found.setdefault((here, "" if here == "cpu" else variant.engine), variant)
    return [Place(variant, here) for (here, _), variant in found.items()]


def usable(branch: Branch) -> Iterator[tuple[Variant, Device]]:
    """Variants with the devices that their engines have here, the one to use first ahead."""
    for variant in branch.variants:
        for here in devices_of(variant.engine):
            yield variant, here


def session_of(
    variant: Variant, files: list[bytes], *, threads: int, device: Device = "cpu"
) -> Session:
    """The session of one variant."""
    match variant.engine:
        case "onnxruntime":
            from modalloy.graphs.onnx_session import OnnxSession

            return OnnxSession(files[0], threads=threads, providers=providers_for(device))
        case "openvino":
            from modalloy.graphs.openvino_session import OpenvinoSession

            own = {"precision": variant.precision, "threads": threads}
            return OpenvinoSession(files, **own, device=openvino_name(device))
        case _:
            assert_never(variant.engine)
