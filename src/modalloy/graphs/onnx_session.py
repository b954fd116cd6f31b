"""A graph in ONNX, run by ONNX Runtime."""

from collections.abc import Sequence

import numpy as np

from modalloy.errors import BundleError
from modalloy.graphs.session import Session
from modalloy.readers.batch import Arrays


class OnnxSession(Session):
    """An ONNX graph on the first of these providers; the others do what that cannot.

    threads: that one run may use. BundleError where the first does not work here: ONNX Runtime
    lists the providers that it was built with, whether or not their device is there, and leaves
    out silently what does not start.
    """

    def __init__(
        self,
        data: bytes,
        *,
        threads: int,
        providers: Sequence[str] = ("CPUExecutionProvider",),
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait by spinning take the cores of whoever shares them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(data, options, providers=list(providers))
        if (own := self.session.get_providers())[0] != providers[0]:
            raise BundleError(
                f"ONNX Runtime has {providers[0]}, but it does not start here and {own[0]} would "
                "compute instead; install its driver, or ask for another device."
            )
        self.inputs = tuple(i.name for i in self.session.get_inputs())
        self.outputs = tuple(o.name for o in self.session.get_outputs())

    def run(self, values: Arrays) -> Arrays:
        """See `Session.run`."""
        given = {n: np.ascontiguousarray(values[n]) for n in self.inputs}
        found = self.session.run(None, given)
        return {n: np.asarray(x) for n, x in zip(self.outputs, found, strict=True)}
