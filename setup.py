"""Build the compiled part where a C compiler is at hand; everything else stands in setup.cfg."""

from setuptools import Extension, setup

SOURCES = ["through.c", "ids.c", "columns.c", "hashes.c", "sorted.c", "form.c", "request.c", "shape.c", "scan.c", "cut.c", "lines.c"]
HEADERS = ["ids.h", "columns.h", "hashes.h", "sorted.h", "form.h", "request.h", "shape.h", "scan.h", "cut.h", "lines.h"]

setup(
    ext_modules=[
        Extension(
            "imconvert.native.through",
            [f"imconvert/native/{name}" for name in SOURCES],
            depends=[f"imconvert/native/{name}" for name in HEADERS],
            extra_compile_args=["-O3", "-fvisibility=hidden"],
            optional=True,
        )
    ]
)
