
EXTRA_DIST += %D%/lib/topology.sh %D%/lib/bed.py
EXTRA_DIST += %D%/lib/traffic.sh %D%/lib/traffic.py
EXTRA_DIST += %D%/40_traffic.sh %D%/41_offload.sh %D%/42_addresses.sh %D%/43_sessions.sh
