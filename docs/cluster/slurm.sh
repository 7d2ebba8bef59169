#!/bin/bash
# One Ray cluster over the nodes of a Slurm job, with the driver on the first; see docs/cluster.md.
# sbatch docs/cluster/slurm.sh A07_spanish_capitalization --seeds 5
#SBATCH --job-name=mi
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=4
#SBATCH --time=12:00:00
#SBATCH --requeue
set -euo pipefail

source .venv/bin/activate        # the same folder on every node
export MI_HOME=$PWD              # jobs, results and the shared store lie on the shared file system
export MI_NODE_HOME=${TMPDIR:-/tmp}/mi-node-$SLURM_JOB_ID
export OMP_NUM_THREADS=1 RAY_USAGE_STATS_ENABLED=0
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$(openssl rand -hex 32)   # others on the network have no say in this cluster

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000))
start="ray start --block --disable-usage-stats --object-store-memory 100000000 --num-cpus $SLURM_CPUS_PER_TASK"
mkdir -p "$MI_NODE_HOME"

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap $start --head --node-ip-address="$head" --port="$port" --include-dashboard=false &
for try in $(seq 60); do
    (echo > "/dev/tcp/$head/$port") 2> /dev/null && break
    sleep 2
done
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$head" --overlap $start --address="$head:$port" &
fi

# A job that Slurm takes away and queues again goes on where it was. When this command ends, Slurm ends the nodes.
srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap mi run "$@" --executor ray --address "$head:$port" --patience 300
