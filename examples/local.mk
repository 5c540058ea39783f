
EXTRA_DIST += %D%/pair-a.conf %D%/pair-b.conf %D%/features
noinst_PROGRAMS += %D%/outside %D%/probe
%C%_outside_SOURCES = %D%/outside.c
%C%_probe_SOURCES = %D%/probe.c
EXTRA_DIST += %D%/quickstart.sh %D%/mainjob.py %D%/clients.py %D%/install-packages.sh %D%/packages
