#!/bin/sh
# cluster/sweep.sh OVERRIDE…
#
# `kdsearch sweep` on the Ray cluster that this node belongs to. Where results are kept comes from the environment:
# KDSEARCH_STORAGE, KDSEARCH_LEDGER, KDSEARCH_MLFLOW (the latter two stay references in what kdsearch stores).
# KDSEARCH_RAY names a Ray cluster elsewhere; `null` is one that lives as long as the sweep.
# The same command goes on with a sweep that was interrupted, so every launcher may run it again.
set -eu
: "${KDSEARCH_STORAGE:?a folder that every node sees, or s3://bucket/prefix}"
if [ -n "${KDSEARCH_LEDGER:-}" ]; then set -- 'ledger=${oc.env:KDSEARCH_LEDGER}' "$@"; fi
if [ -n "${KDSEARCH_MLFLOW:-}" ]; then set -- 'mlflow.tracking_uri=${oc.env:KDSEARCH_MLFLOW}' "$@"; fi
exec kdsearch sweep "cluster.address=${KDSEARCH_RAY:-auto}" "storage=$KDSEARCH_STORAGE" "$@"
