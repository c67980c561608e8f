"""What every side of the benchmark speaks: one JSON object a line, on standard input and output.

    {"load": {"spec": {...}, "runs": R, "x": [[...]], "state": {name: [...]}}}    -> {}
    {"check": {"x1": [[...]], "x2": [[...]], "steps": K}}    -> {"losses": [...]}, of K steps on these views from `state`
    {"time": {"seconds": S}}    -> {"seconds": s, "run_steps": n, "memory": peak bytes}

`spec` is a run's `spec.yaml` as JSON. A side trains R runs of it, each on its own draws, by whole epochs: the order of
the samples, masks, gathering, steps.
"""

import json
import resource
import sys
import time

# Epochs between two looks at the clock.
CHUNK = 10


def batches(spec):
    """Samples of each of an epoch's batches."""
    n, size = spec["data"]["samples"], min(spec["train"]["batch_size"], spec["data"]["samples"])
    sizes = [min(size, n - start) for start in range(0, n, size)]
    return sizes[:-1] if spec["train"]["drop_last"] and sizes[-1] < size else sizes


def turn(spec, k):
    """Whose turn batch `k` of an epoch is: the index of the branch that learns, or None for both."""
    return k % 2 if spec["train"]["turns"]["kind"] == "alternating" else None


def parameters(state):
    """What gradients are taken of: the state without batch norm's running statistics, which no loss reads."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return {name: value for name, value in state.items() if not name.endswith(buffers)}


def timed(side, seconds):
    start, epochs = time.perf_counter(), 0
    while epochs == 0 or time.perf_counter() - start < seconds:
        side.train(CHUNK)
        epochs += CHUNK
    elapsed = time.perf_counter() - start
    return elapsed, epochs * len(batches(side.spec)) * side.runs


def serve(side):
    """Answers requests until the input ends. `side` has `spec`, `runs`, `load`, `check` and `train`."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        ((request, arguments),) = json.loads(line).items()
        answer = {}
        if request == "load":
            side.load(**arguments)
        elif request == "check":
            answer["losses"] = side.check(**arguments)
        else:
            answer["seconds"], answer["run_steps"] = getattr(side, "timed", lambda seconds: timed(side, seconds))(**arguments)
            answer["memory"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(answer), file=answers, flush=True)
