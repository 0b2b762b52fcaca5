"""From a kernel to an object file that needs nothing of numba to run.

numba compiles each part for itself: it optimises it, with all that it calls, and turns it into machine code that is
never run, since the kernel has it inlined. Here the parts stay as they come from numba's front end, and the kernel
with all its parts is optimised and turned into machine code once; that halves the time.

The object has one function to call, ``entry(*arguments, result) -> failed``. Of an array it takes the address of the
Python object and finds data and length there, in the fields that numpy's C interface promises.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numba
from llvmlite import ir
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import cpu_target
from numba.np.arrayobj import populate_array

from analyzer.compiled.by_numba import Dispatchers
from analyzer.compiled.images import OUTSIDE
from analyzer.compiled.linking import loadable
from analyzer.compiled.loading import fields
from analyzer.compiled.marks import Array, Kernel

INT, FAILED, BYTES = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
KINDS = {numba.types.none: b"n", numba.types.boolean: b"b"}  # of result; b"i" an integer


class Unemittable(Exception):
    """Numba's result cannot stand on its own."""


class Raw(JITCodeLibrary):  # type: ignore[misc]
    """What numba's front end made of one function, as it is; no machine code."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0


class Emitter:
    """Makes objects of kernels; parts that several of them share are seen by numba once."""

    def __init__(self) -> None:
        self._dispatchers = Dispatchers(in_process=False)
        self._context = cpu_target.target_context
        self._codegen = self._context.codegen()
        self._codegen._library_class = Raw
        self._codegen.set_env = lambda *_: None

    def emit(self, kernel: Kernel) -> bytes:
        """The kind of its result, and its code. Raises Unemittable, or what numba finds wrong with the kernel."""
        assert kernel.arguments is not None
        types = tuple(map(_type, kernel.arguments))
        dispatcher = self._dispatchers.of(kernel)
        dispatcher.compile(types)
        compiled = dispatcher.overloads[types]
        result = compiled.signature.return_type
        if result not in KINDS and not isinstance(result, numba.types.Integer):
            raise Unemittable(f"{kernel.name} returns {result}")
        library = JITCodeLibrary(self._codegen, kernel.name)
        library.add_ir_module(self._entry(library.create_ir_module(kernel.name), kernel, compiled.fndesc))
        for module in _reached(compiled.library):
            library._final_module.link_in(module, preserve=True)
        _close(library._final_module, kernel.name)
        library._optimize_final_module()
        _check(library._final_module)
        code = bytes(self._codegen._tm.emit_object(library._final_module))
        return KINDS.get(result, b"i") + loadable(code, kernel.name)

    def _entry(self, module: Any, kernel: Kernel, described: Any) -> Any:
        """Put the function that is called from Python into ``module``."""
        arguments, types = kernel.arguments or (), described.argtypes
        places = [INT if argument is None else BYTES for argument in arguments]
        function = ir.Function(module, ir.FunctionType(FAILED, [*places, INT.as_pointer()]), kernel.name)
        builder = ir.IRBuilder(function.append_basic_block())
        values = [
            value if argument is None else self._array(builder, value, argument, kind)
            for value, argument, kind in zip(function.args[:-1], arguments, types, strict=True)
        ]
        callee = self._context.declare_function(module, described)
        status, result = self._context.call_conv.call_function(builder, callee, described.restype, types, values)
        if described.restype != numba.types.none:
            whole = self._context.cast(builder, result, described.restype, numba.types.int64)
            builder.store(whole, function.args[-1])
        builder.ret(builder.zext(status.is_error, FAILED))
        return module

    def _array(self, builder: Any, value: Any, argument: Array, kind: Any) -> Any:
        """What numba's code takes for an array."""
        data, shape = (_field(builder, value, place) for place in fields())
        size = INT(argument.dtype.itemsize)
        array = self._context.make_array(kind)(self._context, builder)
        length = builder.load(builder.inttoptr(shape, INT.as_pointer()))
        pointer = builder.inttoptr(data, array.data.type)
        populate_array(array, data=pointer, shape=[length], strides=[size], itemsize=size, meminfo=None)
        return array._getvalue()


def _field(builder: Any, value: Any, place: int) -> Any:
    """The 64-bit field of the object ``value`` that begins ``place`` bytes behind its address."""
    return builder.load(builder.bitcast(builder.gep(value, [INT(place)]), INT.as_pointer()))


@cache
def emitter() -> Emitter:
    """The one of this process."""
    return Emitter()


def _type(argument: Array | None) -> Any:
    if argument is None:
        return numba.types.int64
    return numba.types.Array(numba.from_dtype(argument.dtype), 1, "C", readonly=argument.const)


def _reached(library: Any) -> Iterator[Any]:
    """The modules of a library and of all that it calls."""
    seen, left = {id(library)}, [library]
    while left:
        each = left.pop()
        for function in each._final_module.functions:
            if not function.is_declaration:
                function.linkage = "linkonce_odr"  # what numba itself brings may be in several
        yield each._final_module
        fresh = [other for other in each._linking_libraries if id(other) not in seen]
        seen.update(map(id, fresh))
        left += fresh


def _close(module: Any, entry: str) -> None:
    """Nothing but ``entry`` is seen from outside, so that what is inlined everywhere need not be kept."""
    for function in module.functions:
        if not function.is_declaration and function.name != entry:
            function.linkage = "internal"


def _check(module: Any) -> None:
    """Nothing must be left for numba to supply."""
    wanted = [each.name for each in (*module.functions, *module.global_variables) if each.is_declaration]
    missing = [name for name in wanted if name not in OUTSIDE and not name.startswith("llvm.")]
    if missing:
        raise Unemittable(f"{module.name} needs {', '.join(missing)}")
