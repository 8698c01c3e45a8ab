#!/bin/sh
# The namespace that runs live in. May be run again: its retention is brought up to date.
set -eu
attempt=0
until temporal operator namespace create --namespace "$NAMESPACE" --retention "$RETENTION" ||
  temporal operator namespace update --namespace "$NAMESPACE" --retention "$RETENTION"; do
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 20 ]; then
    echo "The namespace $NAMESPACE could not be created at $TEMPORAL_ADDRESS." >&2
    exit 1
  fi
  sleep 3
done
