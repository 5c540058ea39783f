#!/bin/sh
# Replays the seeds of one fuzz target: replay.sh DIR/NAME.in runs DIR/fuzz_NAME of the build tree over
# every file of that directory. A directory without seeds is a failure.
set -eu
name=$(basename "$1" .in)
exec tests/fuzz/"fuzz_$name" "$1"/*
