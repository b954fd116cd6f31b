"""Whether optional modules import here, tried in a process of its own.

They are imported in another process, because a broken one may take its process down with it.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

from modalloy.errors import JobError

PATIENCE_S = 300
LONGEST = 160  # characters of an error that are told


def probe(modules: Iterable[str]) -> dict[str, Any]:
    """Import modules one by one in another process: module -> None, or why it failed.

    A module that ends the process is absent, and so are those after it. Facts come along under
    their own keys: `torch facts`, `picture formats`, `sound formats`, `font`.
    """
    command = [sys.executable, "-W", "ignore", "-m", "modalloy.machine.imports", *modules]
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = os.environ | {"MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1", "PYTHONPATH": paths}
    try:
        said = subprocess.run(
            command, capture_output=True, timeout=PATIENCE_S, env=environment, check=False
        ).stdout
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
    seen: dict[str, Any] = {}
    for line in said.decode(errors="replace").splitlines():
        if line.startswith("{"):
            seen |= json.loads(line)
    return seen


def require(module: str, extra: str | None, what: str) -> None:
    """Refuse what needs a package that is not installed; JobError with what to do.

    extra: of modalloy that brings it; None for the package alone, which is right for whoever has
    modalloy-runtime, too: the extra would bring torch.
    """
    if find_spec(module) is None:
        named = module if extra is None else f"'modalloy[{extra}]'"
        raise JobError(f"{what} needs {module}; run: pip install {named}")


def main() -> None:
    """The other process: one line of JSON a module, flushed before the next import."""
    for module in sys.argv[1:]:
        try:
            importlib.import_module(module)
            _say(module, None)
            if module in _FACTS:
                key, fact = _FACTS[module]
                _say(key, fact())
        except Exception as error:  # whatever a broken package raises is the finding
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            _say(module, first[:LONGEST])


def _say(key: str, value: Any) -> None:
    """One finding for the process that asked."""
    print(json.dumps({key: value}), flush=True)


def _torch_facts() -> dict[str, Any]:
    """Build, accelerators, threads, and how long a bfloat16 product takes beside a float32 one."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    gpus += ["Apple MPS"] if torch.backends.mps.is_available() else []
    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "gpus": gpus,
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "bf16_ratio": _product_s("bfloat16") / _product_s("float32"),
    }


def _product_s(kind: str, size: int = 1024, times: int = 5) -> float:
    """Seconds of the fastest of some matrix products."""
    import torch

    x = torch.ones(size, size, dtype=getattr(torch, kind))
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        torch.mm(x, x)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _pictures() -> list[str]:
    """Picture formats that Pillow was built with."""
    from PIL import features

    names = {"jpg": "JPEG", "zlib": "PNG", "webp": "WebP", "libtiff": "TIFF"}
    return ["BMP", *(names[library] for library in names if features.check(library))]


def _sounds() -> list[str]:
    """Sound formats that libsndfile was built with."""
    import soundfile

    return [name for name in ("WAV", "FLAC", "OGG", "MP3") if name in soundfile.available_formats()]


def _font() -> str:
    """Draws a word and names its font."""
    from matplotlib import font_manager
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    figure.text(0.5, 0.5, "Modalloy")
    FigureCanvasAgg(figure).draw()
    return font_manager.FontProperties(fname=font_manager.findfont("DejaVu Sans")).get_name()


_FACTS: dict[str, tuple[str, Callable[[], Any]]] = {
    "torch": ("torch facts", _torch_facts),
    "PIL.Image": ("picture formats", _pictures),
    "soundfile": ("sound formats", _sounds),
    "matplotlib.backends.backend_agg": ("font", _font),
}


if __name__ == "__main__":
    main()
