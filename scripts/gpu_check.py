"""Checks a GPU from a built program, and times it: `make gpu-check`.

Every method by every engine on the device against the CPU, an interrupted sweep, memory that runs out, the bits of the
kernels; then the time of a run's step for 1, 15, 132 and 1000 runs at once, beside a core's. Prints a table, and writes
it with all that the machine says of itself into one Markdown file. Needs Python's standard library alone.

Ends with 0 if nothing failed, else with 1: a check failed, the device broke, or there is nothing to check.
"""

import argparse
import ctypes
import hashlib
import json
import os
import pathlib
import platform
import signal
import struct
import subprocess
import sys
import tempfile
import time

# Sums in another order change the last digits, and steps carry that on. In single precision, the tests' bounds, which
# come from other orders of the samples on a CPU, reach 2e-5 after 9 steps; these runs take 12.
BOUNDS = {"float32": 1e-4, "float64": 1e-9}
HASHES = pathlib.Path(__file__).with_name("cuda") / "hashes.json"

SWEEP = """title: A check of a GPU
paper: none
claim: A GPU gives the numbers of a CPU.
base:
  dtype: {dtype}
  data: {{ samples: 96, p: 40, d: 8 }}
  model: {{ m: 20 }}
  train: {{ epochs: 4, batch_size: 32 }}
arms:
{arms}
seeds: 1..{seeds}
"""
TIMED = """title: Time of a step
paper: none
claim: It is fast.
base:
  train: {{ epochs: {epochs} }}
  metrics: {{ every: {epochs}, detail_every: 0 }}
arms:
  timed: {{ method: {method} }}
seeds: 1..{runs}
"""


# The program's exit codes: the settings or the device are refused; the device broke, after something was saved or before.
REFUSED, BROKEN = 2, (75, 76)


class Unfit(Exception):
    """There is no use in going on, and why."""


class Check:
    """What was asked, and what came out."""

    def __init__(self, arguments: argparse.Namespace, folder: pathlib.Path) -> None:
        self.program, self.device, self.small, self.folder = arguments.program, arguments.device, arguments.small, folder
        self.only_numbers = arguments.only_numbers
        self.rows: list[tuple[str, str, str]] = []
        self.failed = False
        self.count = 0

    def note(self, what: str, outcome: str, found: str) -> None:
        self.failed |= outcome == "FAILED"
        self.rows.append((what, outcome, found))
        print(f"{outcome:8} {what}: {found}", flush=True)

    def command(self, text: str, results: pathlib.Path, *more: str) -> list[str]:
        self.count += 1
        file = self.folder / f"check{self.count}.yaml"
        file.write_text(text)
        return [self.program, "run", str(file), "--results", str(results), "--progress", "none", *more]

    def run(self, text: str, *more: str, environment: dict[str, str] | None = None) -> tuple[int, str, dict[str, pathlib.Path]]:
        """Exit code, messages, and the folder of each run by its name."""
        results = self.folder / f"results{self.count}"
        command = self.command(text, results, *more)
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
        said = done.stderr.strip()
        if done.returncode in BROKEN:
            raise Unfit(last_line(said))
        return done.returncode, said, runs(results)

    def methods(self) -> list[str]:
        listed = json.loads(subprocess.run([self.program, "methods", "--json"], capture_output=True, text=True, check=True).stdout)
        names = [method["name"] for method in listed]
        return ["ncl", "cl", "simplified-simsiam"] if self.small else names


def last_line(said: str) -> str:
    return said.splitlines()[-1].removeprefix("error: ") if said else "it says nothing"


def runs(results: pathlib.Path) -> dict[str, pathlib.Path]:
    return {path.parent.name: path.parent for path in sorted(results.glob("*/*/summary.json"))}


def weights(run: pathlib.Path) -> dict[str, list[float]]:
    """The tensors of final.safetensors."""
    data = (run / "final.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    kinds = {"F32": "f", "F64": "d"}
    tensors = {}
    for name, tensor in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__" and tensor["dtype"] in kinds:
            first, last = tensor["data_offsets"]
            kind = kinds[tensor["dtype"]]
            part = data[8 + length + first : 8 + length + last]
            tensors[name] = list(struct.unpack(f"<{len(part) // struct.calcsize(kind)}{kind}", part))
    return tensors


def apart(a: pathlib.Path, b: pathlib.Path) -> float:
    """The largest difference of two runs' weights, in units of the largest of their tensor."""
    worst, (first, second) = 0.0, (weights(a), weights(b))
    for name, values in second.items():
        scale = max(1e-2, *(abs(value) for value in values))
        for x, y in zip(first[name], values, strict=True):
            off = abs(x - y) / scale
            worst = off if off > worst or off != off else worst
    return worst


def digest(folders: dict[str, pathlib.Path]) -> str:
    """Of all final weights, whatever the files' other contents."""
    total = hashlib.sha256()
    for name in sorted(folders):
        for tensor, values in sorted(weights(folders[name]).items()):
            total.update(tensor.encode() + struct.pack(f"<{len(values)}d", *values))
    return total.hexdigest()[:16]


def check_numbers(check: Check) -> None:
    hashes = json.loads(HASHES.read_text()) if HASHES.exists() else {}
    for method in check.methods():
        settings = {"ncl-fixed-bias": "data: { p: 20, d: 20 }, "}.get(method, "")
        for engine, dtype in [("fused", "float32"), ("autograd", "float32"), ("autograd", "float64")]:
            text = SWEEP.format(dtype=dtype, arms=f"  a: {{ method: {method}, {settings}}}", seeds=3)
            code, said, there = check.run(text, "--device", check.device, "--engine", engine)
            what = f"{method}, {engine} {dtype}"
            if code == REFUSED:
                check.note(what, "skipped", last_line(said))
                continue
            other, reason, here = check.run(text, "--device", "cpu", "--engine", engine)
            if code or other:
                check.note(what, "FAILED", f"exit codes {code} and {other}: {said} {reason}")
                continue
            found = max(apart(there[name], here[name]) for name in here)
            outcome = "ok" if found <= BOUNDS[dtype] else "FAILED"
            bits = ""
            if engine == "fused" and method in hashes:
                bits = "; the bits of the kernels on a CPU" if digest(there) == hashes[method] else "; other bits than the kernels on a CPU"
            check.note(what, outcome, f"off by {found:.1e}, at most {BOUNDS[dtype]:.0e}{bits}")


def check_resume(check: Check) -> None:
    """Stops a sweep in the middle, and compares what comes out with one that was not stopped."""
    text = SWEEP.format(dtype="float32", arms="  a: { method: ncl-predictor }", seeds=4).replace("epochs: 4", "epochs: 40" if check.small else "epochs: 2000")
    device = ["--device", check.device, "--engine", "fused"]
    code, said, straight = check.run(text, *device)
    if code:
        return check.note("interrupt and resume", "skipped" if code == REFUSED else "FAILED", last_line(said))
    results = check.folder / "stopped"
    command = check.command(text, results, *device, "--checkpoint-every", "0.01")
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while child.poll() is None and not list(results.glob("*/.unfinished/*.checkpoint")):
        time.sleep(0.005)
    child.send_signal(signal.SIGUSR1)
    child.communicate()
    again = subprocess.run(command, capture_output=True, text=True)
    same = {name: digest({name: run}) for name, run in runs(results).items()}
    same_bits = list(same.values()) == [digest({name: run}) for name, run in straight.items()]
    good = child.returncode == 75 and again.returncode == 0 and same_bits
    check.note("interrupt and resume", "ok" if good else "FAILED", f"exit code {child.returncode}, then {again.returncode}; same bits: {same_bits}")


def occupy(device: int, leave: int) -> object | None:
    """Takes a device's memory but for `leave` bytes. None where that does not work."""
    cuda = ctypes.CDLL("libcuda.so.1")
    context, free, total, at = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_uint64()
    if not hasattr(cuda, "cuMemGetInfo_v2") or cuda.cuInit(0) or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return None
    cuda.cuCtxSetCurrent(context)
    cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
    taken = free.value > leave and cuda.cuMemAlloc_v2(ctypes.byref(at), ctypes.c_size_t(free.value - leave)) == 0
    return (lambda: cuda.cuMemFree_v2(at)) if taken else None


def check_memory(check: Check) -> None:
    """Leaves a sweep less memory than it asks for: it must halve its cohorts, and come to the same bits."""
    seeds = 12 if check.small else 512
    text = SWEEP.format(dtype="float32", arms="  a: { method: ncl }", seeds=seeds)
    if not check.small:
        text = text.replace("samples: 96", "samples: 4000").replace("batch_size: 32", "batch_size: 1000")
    device = ["--device", check.device, "--engine", "fused"]
    code, said, whole = check.run(text, *device)
    if code:
        return check.note("out of memory", "skipped" if code == REFUSED else "FAILED", last_line(said))
    for leave in [1 << 30, 700 << 20, 500 << 20, 150_000]:
        release = None if check.small else occupy(int(check.device.partition(":")[2] or 0), leave)
        if release is None and not check.small:
            return check.note("out of memory", "skipped", "the device's memory cannot be taken")
        code, said, parts = check.run(text, *device, environment={"FAKE_CUDA_MEMORY": str(leave)})
        if release:
            release()
        if "trying halves" in said:
            good = code == 0 and digest(parts) == digest(whole)
            return check.note("out of memory", "ok" if good else "FAILED", f"cohorts were halved; exit code {code}, same bits: {good}")
    check.note("out of memory", "skipped", "the memory never ran out")


def milliseconds(check: Check, method: str, count: int, *flags: str) -> float | None:
    """Of one run's step, among so many: the difference of two lengths, so that starting does not count."""
    epochs = (2, 6) if check.small else (20, max(40, min(400, 40000 // count)))
    seconds = []
    for length in epochs:
        begun = time.perf_counter()
        code, _, _ = check.run(TIMED.format(epochs=length, method=method, runs=count), *flags)
        seconds.append(time.perf_counter() - begun)
        if code:
            return None
    steps = 2 if method == "ncl" else 1  # of 1000 samples in batches of 512, without the smaller one in `cl`
    return 1000 * (seconds[1] - seconds[0]) / (count * steps * (epochs[1] - epochs[0]))


def time_steps(check: Check) -> list[str]:
    lines = ["| method | runs | fused, GPU | autograd, GPU | fused, one core |", "| --- | ---: | ---: | ---: | ---: |"]
    for method in ["ncl", "cl"]:
        core = milliseconds(check, method, 1, "--device", "cpu", "--jobs", "1")
        for count in [1, 3] if check.small else [1, 15, 132, 1000]:
            times = [milliseconds(check, method, count, "--device", check.device, "--engine", engine, "--cohort", "1000") for engine in ["fused", "autograd"]]
            cells = ["none" if spent is None else f"{spent:.4f}" for spent in [*times, core]]
            lines.append(f"| {method} | {count} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return lines


def examine(check: Check) -> list[str]:
    """Everything; returns the table of times."""
    check_numbers(check)
    if all(outcome == "skipped" for _, outcome, _ in check.rows):
        raise Unfit(f"nothing can be checked on {check.device}: {check.rows[0][2]}")
    if check.only_numbers:
        return []
    check_resume(check)
    check_memory(check)
    print("milliseconds of a run's step", flush=True)
    return time_steps(check)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="target/release/landscape", help="the built program")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--out", default="gpu-check.md", help="the file to write")
    parser.add_argument("--small", action="store_true", help="three methods and few runs: a test of this script")
    parser.add_argument("--only-numbers", action="store_true", help="no interrupt, no full memory and no times")
    parser.add_argument("--write-hashes", action="store_true", help="record the kernels' bits, on the tests' device")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        check = Check(arguments, pathlib.Path(folder))
        try:
            doctor = subprocess.run([arguments.program, "doctor"], capture_output=True, text=True).stdout.strip()
            print(doctor, flush=True)
            if arguments.write_hashes:
                return write_hashes(check)
            times = examine(check)
        except OSError as error:
            sys.exit(f"gpu-check: FAILED: {arguments.program} does not start ({error.strerror}): make build")
        except Unfit as reason:
            sys.exit(f"gpu-check: FAILED: {reason}")
    table = ["| check | outcome | found |", "| --- | --- | --- |", *(f"| {' | '.join(row)} |" for row in check.rows)]
    machine = f"{platform.platform()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}"
    took = f"It took {time.perf_counter() - begun:.0f} s."
    text = ["# A GPU, checked", "", machine, "", "```", doctor, "```", "", *table, "", "Milliseconds of a run's step:", "", *times, "", took, ""]
    pathlib.Path(arguments.out).write_text("\n".join(text))
    bad = [what for what, outcome, _ in check.rows if outcome == "FAILED"]
    print(f"{len(check.rows)} checks, {len(bad)} failed; {took} All of it is in {arguments.out}")
    if bad:
        print(f"gpu-check: FAILED: {'; '.join(bad)}", file=sys.stderr)
    sys.exit(1 if check.failed else 0)


def write_hashes(check: Check) -> None:
    hashes = {}
    for method in check.methods():
        settings = {"ncl-fixed-bias": "data: { p: 20, d: 20 }, "}.get(method, "")
        text = SWEEP.format(dtype="float32", arms=f"  a: {{ method: {method}, {settings}}}", seeds=3)
        code, said, there = check.run(text, "--device", check.device, "--engine", "fused")
        if code == 0:
            hashes[method] = digest(there)
        else:
            print(said)
    HASHES.write_text(json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    main()
