"""How a sweep of many tiny runs scales: python scripts/many_runs.py [RUNS ...]

For each number of runs (default 1000, 3000 and 10000): seconds and peak memory of the sweep, seconds to find that all is
recorded when it is started again, and files left in the folder of results. All of them should grow in proportion.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile
import time

EXPERIMENT = """
title: Many tiny runs
paper: none
claim: Time, memory and files are in proportion to the runs.
base:
  data: {{ samples: 40, p: 12, d: 5 }}
  model: {{ m: 9 }}
  train: {{ epochs: 4, batch_size: 16 }}
arms:
  NCL: {{ method: ncl }}
grid:
  train.lr: [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1]
seeds: 1..{seeds}
"""


def measured(program: str, folder: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of one call."""
    start = time.monotonic()
    child = subprocess.Popen([program, "run", "many.yaml"], cwd=folder, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"{program} run many.yaml ended with status {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=int, default=[1000, 3000, 10000], help="multiples of 10")
    parser.add_argument("--program", default="target/release/landscape")
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.program).resolve())
    print(f"{'runs':>6}  {'seconds':>8}  {'ms/run':>7}  {'memory MB':>9}  {'again, s':>8}  {'files':>6}")
    for runs in arguments.runs:
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "many.yaml").write_text(EXPERIMENT.format(seeds=runs // 10))
            seconds, memory = measured(program, folder)
            again, _ = measured(program, folder)
            files = sum(len(names) for _, _, names in os.walk(pathlib.Path(folder, "results")))
        print(f"{runs:6}  {seconds:8.1f}  {1000 * seconds / runs:7.2f}  {memory:9.0f}  {again:8.2f}  {files:6}")


if __name__ == "__main__":
    main()
