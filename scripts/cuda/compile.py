"""Compiles the kernels to PTX, or checks that the committed PTX is what their sources give.

    python3 scripts/cuda/compile.py            # writes src/fused/cuda/kernels/train.ptx
    python3 scripts/cuda/compile.py --check    # compares, and asks ptxas for registers, spills and shared memory

Needs no GPU: NVRTC and ptxas come from PyPI (`make ptx` installs them, into .venv-cuda). CUDA 12.4, so that drivers of
2024 compile the PTX for their devices; compute_80 runs on Ampere and everything newer.
"""

import argparse
import ctypes
import difflib
import hashlib
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

KERNELS = pathlib.Path(__file__).resolve().parents[2] / "src" / "fused" / "cuda" / "kernels"
PTX = KERNELS / "train.ptx"
# No contraction: each operation that the source names is rounded by itself, as on the CPU.
OPTIONS = ["--gpu-architecture=compute_80", "--fmad=false", "--std=c++17", f"-I{KERNELS}"]
DEVICES = ["sm_80", "sm_90"]


def package(name: str) -> pathlib.Path:
    """Where pip put a part of CUDA."""
    found = importlib.util.find_spec(f"nvidia.{name}")
    if found is None:
        sys.exit(f"there is no nvidia.{name} in this Python: see `make ptx`")
    return pathlib.Path(next(iter(found.submodule_search_locations)))


def digest() -> str:
    """Names the sources."""
    total = hashlib.sha256()
    for path in sorted([*KERNELS.glob("*.cu"), *KERNELS.glob("*.cuh")]):
        total.update(f"{path.name} {path.stat().st_size}\n".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def compiled() -> str:
    """The PTX of the sources."""
    lib = package("cuda_nvrtc") / "lib"
    # NVRTC looks for this one by its bare name.
    ctypes.CDLL(str(next(lib.glob("libnvrtc-builtins.so.*"))), mode=ctypes.RTLD_GLOBAL)
    nvrtc = ctypes.CDLL(str(next(lib.glob("libnvrtc.so.*"))))
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    source = (KERNELS / "train.cu").read_bytes()
    if nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"train.cu", 0, None, None) != 0:
        sys.exit("NVRTC does not start")
    options = (ctypes.c_char_p * len(OPTIONS))(*[option.encode() for option in OPTIONS])
    status = nvrtc.nvrtcCompileProgram(program, len(OPTIONS), options)
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if status != 0 or log.value.strip():
        sys.exit(f"NVRTC: {log.value.decode()}")
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetPTX(program, text)
    return f"// Made by scripts/cuda/compile.py of sources {digest()}\n{text.value.decode().strip()}\n"


def resources(ptx: pathlib.Path) -> None:
    """Prints what ptxas makes of the PTX; spilled registers are an error."""
    ptxas = package("cuda_nvcc") / "bin" / "ptxas"
    for device in DEVICES:
        with tempfile.NamedTemporaryFile(suffix=".cubin") as cubin:
            run = subprocess.run([ptxas, "-v", "--gpu-name", device, ptx, "-o", cubin.name], capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"ptxas for {device}: {run.stderr}")
        spills = re.findall(r"(\d+) bytes spill (?:stores|loads)", run.stderr)
        used = re.search(r"Used (\d+) registers.*?(\d+) bytes smem", run.stderr)
        if not spills or used is None:
            sys.exit(f"ptxas for {device} says nothing of registers: {run.stderr}")
        print(f"{device}: {used[1]} registers, {used[2]} bytes of shared memory, {sum(map(int, spills))} bytes spilled")
        if any(int(spilled) for spilled in spills):
            sys.exit(f"registers are spilled: {run.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what is there, and write nothing")
    check = parser.parse_args().check
    text = compiled()
    if check:
        there = PTX.read_text()
        if there != text:
            changes = list(difflib.unified_diff(there.splitlines(), text.splitlines(), "committed", "compiled", n=0))
            sys.exit("\n".join(changes[:20]) + "\nthe committed PTX is not of these sources: run `make ptx`")
    else:
        PTX.write_text(text)
    resources(PTX)


if __name__ == "__main__":
    main()
