TESTS += %D%/check-layering.sh %D%/check-manual.sh %D%/check-protocol.sh %D%/requirements.sh
EXTRA_DIST += %D%/check-layering.sh %D%/check-manual.sh %D%/check-protocol.sh %D%/requirements.sh
AM_TESTS_ENVIRONMENT = export top_srcdir=$(top_srcdir);

## Per folder: one unit program that links that folder and what is left of it.
include %D%/unit/local.mk
include %D%/sim/local.mk
include %D%/fuzz/local.mk
include %D%/func/local.mk
include %D%/bench/local.mk
