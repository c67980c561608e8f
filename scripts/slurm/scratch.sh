#!/usr/bin/env bash
# A Slurm of one node in a scratch folder, for tests: `scratch.sh start DIR`, then `source DIR/env`; `scratch.sh stop DIR`.
#
# Needs root and the packages slurm-wlm and munge; touches nothing outside DIR. Munge, the controller and the node's
# daemon listen on sockets and ports of their own, so a Slurm that is installed already is left alone. Where device files
# can be made, the node has two GPUs, each another /dev/null: Slurm deals them out and sets CUDA_VISIBLE_DEVICES as for real ones.
set -euo pipefail

what="${1:?start or stop}"
dir="$(mkdir -p "${2:?a folder}" && cd "$2" && pwd)"

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'
}

start() {
  local host cpus memory gpus=
  host="$(hostname -s)" cpus="$(nproc)"
  memory="$(awk '/^MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)"
  mkdir -p "$dir"/{state,spool,munge,dev}
  chmod 700 "$dir/munge"
  head -c 1024 /dev/urandom >"$dir/munge/key"
  chmod 400 "$dir/munge/key"
  # --force: the scratch folder need not have the permissions of a system service's.
  munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" 2>"$dir/munge/start"

  # Slurm wants devices, and numbers them by the ends of their names.
  if mknod "$dir/dev/gpu0" c 1 3 2>/dev/null && mknod "$dir/dev/gpu1" c 1 3 2>/dev/null; then
    gpus="Gres=gpu:fake:2"
    printf 'Name=gpu Type=fake File=%s\n' "$dir/dev/gpu[0-1]" >"$dir/gres.conf"
  fi

  cat >"$dir/slurm.conf" <<EOF
ClusterName=scratch
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobRequeue=1
MaxArraySize=10001
GresTypes=gpu
KillWait=10
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory $gpus State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
  printf 'CgroupPlugin=cgroup/v1\n' >"$dir/cgroup.conf"
  printf 'export SLURM_CONF=%q\n' "$dir/slurm.conf" >"$dir/env"
  export SLURM_CONF="$dir/slurm.conf"
  slurmctld
  slurmd
  for _ in $(seq 60); do
    if [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; then return; fi
    sleep 0.5
  done
  echo "Slurm did not start; its logs are $dir/slurmctld.log and $dir/slurmd.log" >&2
  stop
  exit 1
}

# Ends what still runs, then the daemons, and waits until they have written their last.
stop() {
  local file pid
  export SLURM_CONF="$dir/slurm.conf"
  scancel --quiet --user="$(id -un)" 2>/dev/null || true
  for _ in $(seq 100); do
    [ -n "$(squeue --noheader 2>/dev/null)" ] || break
    sleep 0.1
  done
  for file in slurmd.pid slurmctld.pid munge/pid; do
    [ -s "$dir/$file" ] || continue
    pid="$(cat "$dir/$file")"
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
  done
}

"$what"
