"""Devices that graphs and networks can run on here, and which of them each library calls what."""

from importlib.util import find_spec
from typing import Literal, assert_never, get_args

from modalloy.errors import BundleError
from modalloy.graphs.branch import EngineName
from modalloy.job.options import did_you_mean

Device = Literal["cpu", "gpu", "npu"]
DEVICES: tuple[Device, ...] = get_args(Device)
AUTO = "auto"  # asks for the fastest of those that are here
MODULES: dict[str, str] = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "torch": "torch",
}
PROVIDERS: dict[str, Device] = {
    "CPUExecutionProvider": "cpu",
    "CUDAExecutionProvider": "gpu",
    "ROCMExecutionProvider": "gpu",
    "MIGraphXExecutionProvider": "gpu",
    "DmlExecutionProvider": "gpu",
    "CoreMLExecutionProvider": "npu",
    "QNNExecutionProvider": "npu",
    "VitisAIExecutionProvider": "npu",
}


def device_named(device: str) -> str:
    """The device that is meant, in any case; BundleError for a word that is none."""
    words = (AUTO, *DEVICES)
    if device.lower() not in words:
        near = did_you_mean(device, words)
        raise BundleError(f"device '{device}' is none; it is one of {', '.join(words)}.{near}")
    return device.lower()


def devices_of(engine: EngineName | Literal["torch"]) -> tuple[Device, ...]:
    """Kinds of devices that a library can use here, `cpu` first; none where it is not installed."""
    if find_spec(MODULES[engine]) is None:
        return ()
    match engine:
        case "onnxruntime":
            found = {PROVIDERS[p] for p in providers_here() if p in PROVIDERS}
        case "openvino":
            found = {name.split(".")[0].lower() for name in openvino_devices()}
        case "torch":
            found = {"cpu", *(["gpu"] if torch_has_gpu() else [])}
        case _:
            assert_never(engine)
    return tuple(d for d in DEVICES if d in found)


def providers_here() -> list[str]:
    """Execution providers of ONNX Runtime, the one that it prefers first."""
    import onnxruntime

    return onnxruntime.get_available_providers()


def openvino_devices() -> list[str]:
    """Devices as OpenVINO names them, such as `CPU`, `GPU.0` and `NPU`."""
    import openvino

    return list(openvino.Core().available_devices)


def torch_has_gpu() -> bool:
    """Whether torch has an accelerator."""
    import torch

    return torch.cuda.is_available()


def providers_for(device: str) -> list[str]:
    """Providers of ONNX Runtime for a device, and the processor for what they cannot do."""
    own = [p for p in providers_here() if PROVIDERS.get(p) == device]
    return own if device == "cpu" else [*own, "CPUExecutionProvider"]


def openvino_name(device: str) -> str:
    """What OpenVINO calls a device; what that cannot do is left to the processor (HETERO)."""
    return "CPU" if device == "cpu" else f"HETERO:{device.upper()},CPU"


def refuse_device(device: str, engines: tuple[EngineName | Literal["torch"], ...]) -> None:
    """BundleError for a device that none of these libraries has here."""
    here = {engine: devices_of(engine) for engine in engines}
    if device == AUTO or any(device in found for found in here.values()):
        return
    told = "; ".join(f"{e}: {', '.join(d) or 'not installed'}" for e, d in here.items())
    raise BundleError(f"device '{device}' is not here. This machine has {told}.")
