"""Graphs of a network, each ready to run: by ONNX Runtime or OpenVINO."""
