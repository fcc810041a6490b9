#!/bin/sh
# Waits until Temporal serves, and makes the namespace if it is not there.
set -eu
tries=60
until temporal operator cluster health >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "Temporal at $TEMPORAL_ADDRESS does not serve" >&2; exit 1; }
    sleep 2
done
temporal operator namespace describe -n "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 && exit 0
# A namespace that was just made is known everywhere only after some seconds: `aftersales setup` needs it.
temporal operator namespace create -n "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
sleep 12
