
EXTRA_DIST += %D%/lib/topology.sh %D%/lib/bed.py
