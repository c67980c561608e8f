#!/usr/bin/env bash
# A sweep through a real Slurm of one node: one task is requeued in the middle, as preemption does it, another gets the
# signal that comes before the time limit. The results must be those of a sweep without Slurm, byte for byte.
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
