#!/bin/sh
# A cluster job: product reviews, made by a job of a Ray cluster, watched until it ends, and checked.
#
#     sh examples/cluster_job.sh                                   # on a head that it starts here and ends
#     sh examples/cluster_job.sh http://HEAD:8265 /shared/datasets  # on a cluster that is there
#
# A job writes where all nodes can: to a shared folder, or to object storage (s3://bucket/datasets). Typed again after it was
# stopped, killed or ran out of money, it goes on where it was. `submit` is ours; the configuration is an unchanged script.
set -eu

address=${1:-}
datasets=${2:-$PWD/artifacts}
records=${RECORDS:-200}

if [ -z "$address" ]; then
    address=http://127.0.0.1:8265
    ray get-auth-token --generate >/dev/null 2>&1 || true # clusters of Ray's ask for a token, local ones too
    ray start --head --block --num-cpus=2 --disable-usage-stats --dashboard-port=8265 >"${TMPDIR:-/tmp}/ray-head.log" 2>&1 &
    head=$!
    trap 'kill "$head"; wait "$head" || true' EXIT
    trap 'exit 130' INT TERM
    tries=60
    until RAY_AUTH_MODE=token ray job list --address "$address" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { echo "no Ray at $address; see ${TMPDIR:-/tmp}/ray-head.log" >&2; exit 1; }
        sleep 1
    done
fi

data-designer submit "$(dirname "$0")/product_reviews.py" --address "$address" \
    --num-records "$records" --dataset-name reviews --artifact-path "$datasets" \
    --set replicas_per_model=2 --set buffer_size=100

data-designer check "$datasets/reviews"
data-designer explain "$datasets/reviews"
