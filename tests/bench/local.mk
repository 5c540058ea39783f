EXTRA_PROGRAMS = %D%/repl %D%/pps
%C%_repl_SOURCES = %D%/repl.c
%C%_repl_LDADD = $(CHASSIS_LIBS)
%C%_pps_SOURCES = %D%/pps.c
EXTRA_DIST += %D%/run.sh %D%/recovery.sh %D%/recovery.py
CLEANFILES += $(EXTRA_PROGRAMS)
