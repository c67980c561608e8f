#!/usr/bin/env bash
# A sweep through a real Slurm of one node: one task is requeued in the middle, as preemption does it, another gets the
# signal that comes before the time limit. The results must be those of a sweep without Slurm, byte for byte. Then the same on
# two GPUs of the tests' fake driver: a task for each, a process for each, and one that breaks.
#
# Skipped, with the reason, where Slurm cannot run. SLURM_INSTALL=1 installs Debian's packages first if they are missing.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
landscape="${LANDSCAPE:-$here/../../target/release/landscape}"
landscape="$(realpath "$landscape")"

skip() {
  echo "test-slurm: skipped: $*"
  exit 0
}
fail() {
  echo "test-slurm: FAILED: $*" >&2
  tail -n 20 "$work"/slurm/*/logs/*.log "$work"/scratch/slurm*.log >&2 || true
  exit 1
}

[ "$(id -u)" = 0 ] || skip "a scratch Slurm needs root"
if ! command -v slurmctld slurmd munged sbatch >/dev/null; then
  [ -n "${SLURM_INSTALL:-}" ] || skip "slurm-wlm and munge are not installed (SLURM_INSTALL=1 installs them)"
  command -v apt-get >/dev/null || skip "slurm-wlm and munge are not installed, and there is no apt-get"
  { apt-get update && apt-get install --yes --no-install-recommends slurm-wlm munge; } >/dev/null 2>&1 ||
    skip "slurm-wlm and munge cannot be installed"
fi

# Steps of another Slurm, or what a killed test left of one: not ours to wait for.
others="$(pgrep slurmstepd || true)"
work="$(mktemp -d)"
trap '"$here/scratch.sh" stop "$work/scratch"; rm -rf "$work"' EXIT
cd "$work"
"$here/scratch.sh" start "$work/scratch" || skip "Slurm does not start on this machine"
source "$work/scratch/env"

cat >tiny.yaml <<'EOF'
title: A sweep for Slurm
paper: none
claim: Slurm changes nothing.
base:
  data: { samples: 400 }
  train: { epochs: 4000, batch_size: 128 }
arms:
  NCL: { method: ncl, model: { batch_norm: pre_activation } }
  CL: { method: cl }
seeds: 1..4
EOF

echo "test-slurm: without Slurm"
"$landscape" run tiny.yaml --results alone --progress none

echo "test-slurm: with Slurm"
"$landscape" slurm tiny.yaml --results sweep --partition test --time 10 --grace 60 --shards 2 --cpus-per-task 1 --submit
array="$(squeue --noheader --format='%F' --name=tiny | head -n 1)"

state() { squeue --noheader --jobs="$1" --format=%T 2>/dev/null || true; }
wait_for() { # a condition, for two minutes
  local what="$1"
  for _ in $(seq 240); do
    if eval "$what"; then return; fi
    sleep 0.5
  done
  fail "waited in vain for: $what"
}
# Slurm makes a requeued task wait for two minutes, in which its first turn reports its end. A test need not wait so long,
# but it must not start the second turn before that report: on one node Slurm would take it for the second turn's.
start_again() {
  local job
  wait_for "[ \"\$(state $1)\" = PENDING ]"
  job="$(squeue --noheader --jobs="$1" --format=%A)"
  wait_for "! pgrep --full 'slurmstepd: \\[$job\\.' | grep --quiet --invert-match --line-regexp --fixed-strings '$others'"
  sleep 2
  scontrol update JobId="$1" StartTime=now
}

for task in 1 2; do
  wait_for "[ \"\$(state ${array}_$task)\" = RUNNING ]"
done
sleep 2
scontrol requeue "${array}_1"
scancel --signal=USR1 "${array}_2"
start_again "${array}_1"
start_again "${array}_2"

"$landscape" status --results sweep
wait_for '[ -z "$(squeue --noheader)" ]'
"$landscape" status --results sweep

runs=0
for run in alone/tiny/*/; do
  for file in metrics.csv final.safetensors; do
    cmp "$run$file" "sweep/tiny/$(basename "$run")/$file" || fail "$run$file differs"
  done
  runs=$((runs + 1))
done
[ "$runs" = 8 ] || fail "$runs runs instead of 8"
resumed="$(grep -l '"resumed": [1-9]' sweep/tiny/*/summary.json | wc -l)"
[ "$resumed" -ge 2 ] || fail "only $resumed runs were taken up in the middle"
[ -s plots/tiny.png ] || fail "the figures were not drawn"

# Several processes of one step are shards, too.
both="$(srun --ntasks=2 --overcommit "$landscape" run tiny.yaml --results none --shard slurm --dry-run | grep -c 'to train')"
[ "$both" = 8 ] || fail "two processes of a step were dealt $both runs instead of 8"
echo "test-slurm: passed: $runs runs the same, $resumed of them taken up in the middle"

skip_gpus() {
  echo "test-slurm: GPUs skipped: $*"
  exit 0
}
[ "$(sinfo --noheader --format=%G)" = gpu:fake:2 ] || skip_gpus "Slurm has no GPUs here, which are device files made by mknod"
sources="$here/../../tests/fake_cuda"
compiler="${CXX:-c++}"
command -v "$compiler" >/dev/null || skip_gpus "there is no C++ compiler for the fake driver"
fma=()
if grep --quiet --max-count=1 ' fma ' /proc/cpuinfo; then fma=(-mfma); fi
mkdir driver
"$compiler" -std=c++17 -O2 -ffp-contract=off "${fma[@]}" -fPIC -shared -I "$sources" "$sources"/{driver,threads,kernels}.cpp \
  -o driver/libcuda.so.1 -Wl,-soname,libcuda.so.1 || fail "the fake driver does not compile"

cat >gpus.yaml <<'EOF'
title: A sweep for GPUs
paper: none
claim: Slurm deals them out.
base:
  data: { samples: 64, p: 20, d: 5 }
  model: { m: 9 }
  train: { epochs: 40, batch_size: 32 }
arms:
  NCL: { method: ncl-predictor }
  CL: { method: cl }
seeds: 1..2
EOF
export FAKE_CUDA_DEVICES=2
on_gpus=(gpus.yaml --engine fused --cohort 2 --partition test --time 10 --grace 60 --cpus-per-task 1 --no-figures)
on_gpus+=(--sbatch=--mem=100M --setup "export LD_LIBRARY_PATH=$work/driver" --setup 'echo "GPUs $CUDA_VISIBLE_DEVICES"' --submit)
same_on_gpus() { # the results in this folder are those without Slurm
  local run file
  for run in gpu-alone/gpus/*/; do
    for file in metrics.csv final.safetensors; do
      cmp "$run$file" "$1/gpus/$(basename "$run")/$file" || fail "$1: $run$file differs"
    done
  done
}
LD_LIBRARY_PATH="$work/driver" "$landscape" run gpus.yaml --engine fused --device cuda --cohort 2 --results gpu-alone --progress none

echo "test-slurm: a GPU for each of two tasks"
"$landscape" slurm "${on_gpus[@]}" --results gpu-tasks --gpus-per-task 1 --shards 2
wait_for '[ -z "$(squeue --noheader)" ]'
same_on_gpus gpu-tasks
dealt="$(grep --no-filename '^GPUs' slurm/gpus/logs/*.log | sort | paste -sd' ')"
# The second task may begin when the first has ended, and then gets the same one.
[[ "$dealt" =~ ^"GPUs 0 GPUs "[01]$ ]] || fail "two tasks of one GPU each were dealt '$dealt'"

echo "test-slurm: a process for each of a node's two GPUs"
"$landscape" slurm "${on_gpus[@]}" --results gpu-node --gpus-per-node 2 --shards 2
wait_for '[ -z "$(squeue --noheader)" ]'
same_on_gpus gpu-node
dealt="$(grep --no-filename '^GPUs' slurm/gpus-2/logs/*.log)"
[ "$dealt" = "GPUs 0,1" ] || fail "a task of a node's two GPUs was dealt '$dealt'"
seen="$(srun --ntasks=2 --overcommit --gpus-per-task=1 --gpu-bind=single:1 printenv CUDA_VISIBLE_DEVICES | sort | paste -sd' ')"
[ "$seen" = "0 1" ] || fail "two processes with a GPU each see '$seen' and not one each"

echo "test-slurm: a GPU that breaks"
FAKE_CUDA_BREAK=0 "$landscape" slurm "${on_gpus[@]}" --results gpu-broken --gpus-per-task 1 --shards 1
array="$(squeue --noheader --format='%F' --name=gpus | head -n 1)"
wait_for "[ \"\$(state ${array}_1)\" = PENDING ] && [ -s slurm/gpus-3/logs/${array}_1.vain ]"
wait_for "scontrol show job ${array}_1 | grep --quiet \"ExcNodeList=$(hostname -s)\""
grep --quiet "does not compute any more" slurm/gpus-3/logs/*.log || fail "the log does not say that the GPU broke"
scancel "$array"
echo "test-slurm: passed on two GPUs that Slurm deals out"
