"""Before translation: keep what the wanted outputs need, and write functions out as their bodies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import onnx
from onnx import AttributeProto, helper, inliner

from workers.runtimes.onnx.limits import MAX_DEPTH, MAX_NODES, check_nodes
from workers.runtimes.onnx.refusal import Untranslatable
from workers.runtimes.onnx.table import BUILDERS

SMALL_BYTES = 1024
"""Weights of up to this size (shapes, axes) are shown to shape inference; larger ones are not copied."""
OLDEST, NEWEST = 7, 28
"""Opsets of the main domain whose forms the builders know."""


def prepared(model: Any, wanted: Iterable[str]) -> tuple[Any, list[Any]]:
    """The model pruned to the wanted outputs, with every function expanded, and the weights that are too large to copy.

    Raises Untranslatable.
    """
    opset = opsets(model).get("", NEWEST)
    if not OLDEST <= opset <= NEWEST:
        raise Untranslatable(f"opset {opset} is not translated (opsets {OLDEST} to {NEWEST} are)")
    model, weights = pruned(model, tuple(wanted))
    check_nodes(expanded_count(model))
    if model.functions:
        model = inliner.inline_local_functions(model)
    for _ in range(MAX_DEPTH):
        functions = sorted(key for key in _operators(model.graph, 0) if key not in BUILDERS and _has_body(key, opsets(model)))
        if not functions:
            break
        model = inliner.inline_selected_functions(typed(model), functions, inline_schema_functions=True)
        check_nodes(_count(model.graph, 0))
    return model, weights


def opsets(model: Any) -> dict[str, int]:
    """Domain -> version, as the model imports them."""
    return {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}


def pruned(model: Any, wanted: tuple[str, ...]) -> tuple[Any, list[Any]]:
    """A copy of the nodes and small weights that the wanted outputs need, and the large weights themselves, not copied."""
    made = {name: node for node in model.graph.node for name in node.output if name}
    needed: set[int] = set()
    read: set[str] = set(wanted)
    pending = list(wanted)
    while pending:
        node = made.get(pending.pop())
        if node is not None and id(node) not in needed:
            needed.add(id(node))
            inputs = set(reads(node, 0))
            pending += inputs - read
            read |= inputs
    small = onnx.ModelProto()
    small.ir_version = model.ir_version
    small.opset_import.extend(model.opset_import)
    small.functions.extend(model.functions)
    small.graph.name = model.graph.name or "graph"
    small.graph.node.extend(node for node in model.graph.node if id(node) in needed)
    weights = [tensor for tensor in model.graph.initializer if tensor.name in read]
    small.graph.initializer.extend(tensor for tensor in weights if len(tensor.raw_data) <= SMALL_BYTES)
    large = [tensor for tensor in weights if len(tensor.raw_data) > SMALL_BYTES]
    for tensor in weights:
        small.graph.value_info.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    if any(tensor.values.name in read for tensor in model.graph.sparse_initializer):
        raise Untranslatable("a sparse weight is not translated")
    small.graph.input.extend(model.graph.input)
    small.graph.value_info.extend(model.graph.value_info)
    outputs = {value.name: value for value in model.graph.output}
    small.graph.output.extend(outputs.get(name) or onnx.ValueInfoProto(name=name) for name in wanted)
    return small, large


def typed(model: Any) -> Any:
    """The model with the type of every tensor noted: bodies of functions depend on types."""
    inferred = onnx.shape_inference.infer_shapes(model)
    del model.graph.value_info[:]
    model.graph.value_info.extend(inferred.graph.value_info)
    # the inliner asks for the type of inputs that are left out, too
    model.graph.value_info.append(helper.make_tensor_value_info("", onnx.TensorProto.FLOAT, None))
    return model


def reads(node: Any, depth: int) -> Iterable[str]:
    """The names a node reads, those that its own graphs read included. Raises Untranslatable when they nest too deep."""
    if depth > MAX_DEPTH:
        raise Untranslatable(f"graphs are nested more than {MAX_DEPTH} deep")
    yield from (name for name in node.input if name)
    for graph in _graphs(node):
        for inner in graph.node:
            yield from reads(inner, depth + 1)
        yield from (value.name for value in graph.output)


def _graphs(node: Any) -> Iterable[Any]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _count(graph: Any, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise Untranslatable(f"graphs are nested more than {MAX_DEPTH} deep")
    return len(graph.node) + sum(_count(inner, depth + 1) for node in graph.node for inner in _graphs(node))


def _operators(graph: Any, depth: int) -> set[tuple[str, str]]:
    if depth > MAX_DEPTH:
        raise Untranslatable(f"graphs are nested more than {MAX_DEPTH} deep")
    found = {("" if node.domain == "ai.onnx" else node.domain, node.op_type) for node in graph.node}
    return found.union(*(_operators(inner, depth + 1) for node in graph.node for inner in _graphs(node)))


def _has_body(key: tuple[str, str], versions: dict[str, int]) -> bool:
    domain, op = key
    try:
        schema: Any = onnx.defs.get_schema(op, versions.get(domain, 1), domain)
    except onnx.defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)


def expanded_count(model: Any) -> int:
    """How many nodes there are once the model's own functions are written out. Raises Untranslatable when they recurse."""
    functions = {(function.domain, function.name): function for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size_of(nodes: Iterable[Any], above: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in functions:
                if key in above or len(above) > 64:
                    raise Untranslatable("the model's functions call themselves, or each other too deep")
                if key not in sizes:
                    sizes[key] = size_of(functions[key].node, (*above, key))
                total += sizes[key]
            total += 1 + sum(size_of(graph.node, above) for graph in _graphs(node)) if len(above) <= 64 else 0
            if total > MAX_NODES:
                check_nodes(total)
        return total

    check_nodes(_count(model.graph, 0))
    return size_of(model.graph.node, ())
