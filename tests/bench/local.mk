EXTRA_PROGRAMS = %D%/repl %D%/pps %D%/match
%C%_repl_SOURCES = %D%/repl.c
%C%_repl_LDADD = $(CHASSIS_LIBS)
%C%_pps_SOURCES = %D%/pps.c
%C%_match_SOURCES = %D%/match.c
%C%_match_LDADD = $(CHASSIS_LIBS)
EXTRA_DIST += %D%/run.sh %D%/recovery.sh %D%/recovery.py %D%/forward.sh %D%/forward.py
CLEANFILES += $(EXTRA_PROGRAMS)
