"""Build the compiled part where a C compiler is at hand; everything else stands in setup.cfg."""

from pathlib import Path

from setuptools import Extension, setup

NAMES = [
    "through", "ids", "met", "columns", "hashes", "direct", "sorted", "form", "request", "block", "lines", "rows",
    "bundle", "shape", "nodes", "pick", "wall", "loose", "suffix", "steps", "naming", "moment", "opening", "scan",
    "cut", "memory",
]  # fmt: skip
SOURCES = [f"imconvert/native/{name}.c" for name in NAMES]

setup(
    ext_modules=[
        Extension(
            "imconvert.native.through",
            SOURCES,
            depends=sorted(map(str, Path("imconvert/native").glob("*.h"))),
            extra_compile_args=["-O3", "-fvisibility=hidden", "-flto"],
            extra_link_args=["-O3", "-flto"],
            optional=True,
        )
    ]
)
