"""Decorated functions as numba knows them.

A kernel finds what it calls through its module's globals, where only decorated functions stand. So each
function is taken once more, over a copy of those globals in which each of them is replaced by what numba made of it.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from analyzer.kernels.decorated import BigEndian, Decorated, Kernel, KernelHelper, Prefetch, RecordAt, Wipe

OPTIONS = {"nogil": True, "_nrt": False, "error_model": "numpy", "no_cfunc_wrapper": True}
"""``_nrt``: kernels allocate nothing, and counting references to arguments, atomically, at every call among them costs
several times what the work itself does. ``error_model``: no test for zero before each division."""
Primitive = Prefetch | Wipe | BigEndian  # what is an instruction or two rather than a function


class Dispatchers:
    """numba's dispatchers for decorated functions, each made when it is first asked for.

    ``in_process``: for use in this process; else only to be compiled and emitted.
    """

    def __init__(self, in_process: bool) -> None:
        self._in_process = in_process
        self._made: dict[int, Any] = {}  # by the identity of the decorated function
        self._globals: dict[int, dict[str, Any]] = {}  # by the identity of the module's own

    def of(self, decorated: Decorated | RecordAt | Primitive) -> Any:
        if isinstance(decorated, Primitive):
            return PRIMITIVES[type(decorated)]
        if isinstance(decorated, RecordAt):
            return self._made.setdefault(id(decorated), _record_at(decorated.dtype))
        within = self._known(decorated.function.__globals__)
        if id(decorated) not in self._made:
            self._made[id(decorated)] = self._dispatcher(decorated, _over(decorated.function, within))
        return self._made[id(decorated)]

    def _known(self, names: dict[str, Any]) -> dict[str, Any]:
        if id(names) not in self._globals:
            copy = self._globals[id(names)] = {}
            copy.update({name: self._seen(value) for name, value in names.items()})
        return self._globals[id(names)]

    def _seen(self, value: Any) -> Any:
        return self.of(value) if isinstance(value, Decorated | RecordAt | Primitive) else value

    def _dispatcher(self, decorated: Decorated, function: Callable[..., Any]) -> Any:
        entry = self._in_process and isinstance(decorated, Kernel)
        inlined = isinstance(decorated, KernelHelper) and decorated.inlined
        dispatcher = numba.njit(no_cpython_wrapper=not entry, forceinline=inlined, **OPTIONS)(function)
        return dispatcher if self._in_process else _once(dispatcher)


def _over(function: Callable[..., Any], names: dict[str, Any]) -> FunctionType:
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__module__, copy.__qualname__, copy.__doc__ = function.__module__, function.__qualname__, function.__doc__
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _once(dispatcher: Any) -> Any:
    """Compile it once for integers, and not anew for each constant it is called with."""
    template = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: template(tuple(map(numba.types.unliteral, args)), kws)
    return dispatcher


def _record_at(dtype: np.dtype[np.void]) -> Any:
    record = numba.from_dtype(dtype)

    @intrinsic  # type: ignore[untyped-decorator]
    def at(_: Any, address: Any, index: Any) -> Any:
        def code(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            size = arguments[1].type(dtype.itemsize)
            place = builder.add(arguments[0], builder.mul(arguments[1], size))
            return builder.inttoptr(place, context.get_value_type(record))

        return record(numba.types.int64, numba.types.int64), code

    return at


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(_: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        place, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place, number, number, number])
        hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(hint, [builder.inttoptr(arguments[0], place), number(0), number(3), number(1)])  # to read, data
        return context.get_dummy_value()

    return numba.types.void(numba.types.int64), code


@intrinsic  # type: ignore[untyped-decorator]
def _wipe(_: Any, address: Any, size: Any) -> Any:
    def code(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        cgutils.memset(builder, place, arguments[1], 0)
        return context.get_dummy_value()

    return numba.types.void(numba.types.int64, numba.types.int64), code


@intrinsic  # type: ignore[untyped-decorator]
def _be64(_: Any, data: Any, at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, array = ir.IntType(64), context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), number.as_pointer())
        return builder.bswap(builder.load(place, align=1))

    return numba.types.int64(data, numba.types.int64), code


PRIMITIVES: dict[type, Any] = {Prefetch: _prefetch, Wipe: _wipe, BigEndian: _be64}
_here = Dispatchers(in_process=True)


def in_process(kernel: Kernel) -> Callable[..., Any]:
    """The kernel compiled by numba in this process, and kept nowhere."""
    dispatcher: Callable[..., Any] = _here.of(kernel)
    return dispatcher
