#!/bin/sh
# cluster/sweep.sh OVERRIDE…
#
# `kdsearch sweep` on the Ray cluster that this node belongs to. Where sweeps are kept comes from the environment, as
# for every kdsearch command: KDSEARCH_STORAGE, KDSEARCH_LEDGER, KDSEARCH_MLFLOW (the latter two stay references in what
# kdsearch stores). KDSEARCH_RAY names a Ray cluster elsewhere; `null` is one that lives as long as the sweep.
# The same command goes on with a sweep that was interrupted, so every launcher may run it again.
set -eu
: "${KDSEARCH_STORAGE:?a folder that every node sees, or s3://bucket/prefix}"
exec kdsearch sweep "cluster.address=${KDSEARCH_RAY:-auto}" "$@"
