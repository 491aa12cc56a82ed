#!/bin/bash
# Training on four nodes of a Slurm cluster: sbatch deploy/slurm.sh
# grek must be installed on all nodes, and the directory of submission lie on storage they share.
#SBATCH --job-name=grek
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --exclusive
#SBATCH --time=01:30:00
set -euo pipefail

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(getent ahostsv4 "$head" | awk 'NR == 1 {print $1}'):6379
workers=$((SLURM_NNODES * SLURM_CPUS_PER_TASK))

# Ray starts on every node; the first one runs what follows --, and all end with it.
srun ray symmetric-run --address "$address" --min-nodes "$SLURM_NNODES" \
  --num-cpus="$SLURM_CPUS_PER_TASK" -- \
  grek train --cluster "$address" --workers "$workers" --worlds $((128 * workers)) \
  --minutes 60 --out "runs/$SLURM_JOB_ID"
