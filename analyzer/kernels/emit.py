"""From a kernel to an object file that needs nothing of numba to run, for this machine or for another one.

numba compiles each helper for itself: it optimises it, with all that it calls, and turns it into machine code that is
never run, since the kernel has it inlined. Here the parts stay as they come from numba's front end, and the kernel
with all its parts is optimised and turned into machine code once; that halves the time.

The object has one function to call, ``symbol(*words, result) -> failed``: an integer is one word of 64 bits, an array
two, its address and its length.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import cpu_target
from numba.np.arrayobj import populate_array

from analyzer.kernels.by_numba import Dispatchers
from analyzer.kernels.decorated import Array, Kernel
from analyzer.kernels.link import OUTSIDE, Target

INT, FAILED = ir.IntType(64), ir.IntType(32)
KINDS = {numba.types.none: "nothing", numba.types.boolean: "truth"}


class Unemittable(Exception):
    """Numba's result cannot stand on its own."""


class Emitted(NamedTuple):
    """An object file, and the kind of the kernel's result: a key of ``load.RESULTS``."""

    code: bytes
    result: str


class Raw(JITCodeLibrary):  # type: ignore[misc]
    """What numba's front end made of one function, as it is; no machine code."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0


class Emitter:
    """Makes objects of kernels; parts that several of them share are seen by numba once.

    It bends numba's compiler of this process to another target: whoever has one uses numba for nothing else.
    """

    def __init__(self, target: Target) -> None:
        self._target, self._machine = target, _machine(target)
        self._dispatchers = Dispatchers(in_process=False)
        self._context = cpu_target.target_context
        self._codegen = self._context.codegen()
        self._codegen._library_class = Raw
        self._codegen._tm = self._machine
        self._codegen._data_layout = str(self._machine.target_data)
        self._codegen._create_empty_module = self._module
        self._codegen.set_env = lambda *_: None

    def emit(self, kernel: Kernel) -> Emitted:
        """The kernel as an object. Raises Unemittable, or what numba finds wrong with the kernel."""
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
        _close(library._final_module, kernel.symbol)
        library._optimize_final_module()
        _check(library._final_module, kernel.name)
        return Emitted(bytes(self._machine.emit_object(library._final_module)), KINDS.get(result, "integer"))

    def text(self, name: str, content: bytes) -> bytes:
        """An object that holds nothing but a constant, ended by a 0."""
        module = self._module(name)
        kind = ir.ArrayType(ir.IntType(8), len(content) + 1)
        constant = ir.GlobalVariable(module, kind, name)
        constant.global_constant, constant.initializer = True, kind(bytearray(content + b"\0"))
        return bytes(self._machine.emit_object(llvm.parse_assembly(str(module))))

    def _module(self, name: str) -> Any:
        module = ir.Module(name)
        module.triple, module.data_layout = self._target.triple, self._codegen._data_layout
        return module

    def _entry(self, module: Any, kernel: Kernel, described: Any) -> Any:
        """Put the function that is called from Python into ``module``."""
        arguments, types = kernel.arguments or (), described.argtypes
        words = [INT for argument in arguments for _ in range(1 if argument is None else 2)]
        function = ir.Function(module, ir.FunctionType(FAILED, [*words, INT.as_pointer()]), kernel.symbol)
        builder = ir.IRBuilder(function.append_basic_block())
        left = iter(function.args)
        values = [
            next(left) if argument is None else self._array(builder, next(left), next(left), argument, kind)
            for argument, kind in zip(arguments, types, strict=True)
        ]
        callee = self._context.declare_function(module, described)
        status, result = self._context.call_conv.call_function(builder, callee, described.restype, types, values)
        if described.restype != numba.types.none:
            whole = self._context.cast(builder, result, described.restype, numba.types.int64)
            builder.store(whole, function.args[-1])
        builder.ret(builder.zext(status.is_error, FAILED))
        return module

    def _array(self, builder: Any, address: Any, length: Any, argument: Array, kind: Any) -> Any:
        """What numba's code takes for an array."""
        size = INT(argument.dtype.itemsize)
        array = self._context.make_array(kind)(self._context, builder)
        pointer = builder.inttoptr(address, array.data.type)
        populate_array(array, data=pointer, shape=[length], strides=[size], itemsize=size, meminfo=None)
        return array._getvalue()


def _machine(target: Target) -> Any:
    """LLVM's for code that may lie anywhere in memory, and runs on every processor of the target."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    made = llvm.Target.from_triple(target.triple)
    return made.create_target_machine(cpu=target.cpu, opt=3, reloc="pic", codemodel="default")


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
    for each in (*module.functions, *module.global_variables):
        if not each.is_declaration and each.name != entry:
            each.linkage = "internal"


def _check(module: Any, name: str) -> None:
    """Nothing must be left for numba to supply."""
    wanted = [each.name for each in (*module.functions, *module.global_variables) if each.is_declaration]
    missing = [name for name in wanted if name not in OUTSIDE and not name.startswith("llvm.")]
    if missing:
        raise Unemittable(f"{name} needs {', '.join(missing)}")
