"""Objects that cannot become images, as those for other processors: LLVM, which takes longer, puts them into memory."""

from functools import cache
from typing import Any

import llvmlite.binding as llvm


def placed(code: bytes, entry: str) -> int:
    """The address of the function ``entry`` of an object, whose code stays in memory."""
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(entry))


@cache
def _engine() -> Any:
    """A place for machine code."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=llvm.get_host_cpu_name())
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
