#!/bin/sh
# The namespace that runs live in, and the search attributes of runs. May be run again: what is there stays as it is.
set -eu
attempt=0
until temporal operator namespace describe "$NAMESPACE" > /dev/null 2>&1 ||
  temporal operator namespace create --namespace "$NAMESPACE" --retention "$RETENTION"; do
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 20 ]; then
    echo "The namespace $NAMESPACE could not be created at $TEMPORAL_ADDRESS." >&2
    exit 1
  fi
  sleep 3
done
for attribute in RlmStatus:Keyword RlmRepository:Keyword RlmCommit:Keyword RlmPrompt:Text RlmCost:Double; do
  temporal operator search-attribute create --namespace "$NAMESPACE" \
    --name "${attribute%%:*}" --type "${attribute##*:}" ||
    echo "The search attribute ${attribute%%:*} could not be created: runs do without." >&2
done
