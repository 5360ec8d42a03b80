"""Tree ensembles of ONNX files, read into a `Forest` with what lies between it and the explained output."""
