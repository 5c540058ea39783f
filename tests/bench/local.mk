EXTRA_PROGRAMS = %D%/repl
%C%_repl_SOURCES = %D%/repl.c
%C%_repl_LDADD = $(CHASSIS_LIBS)
EXTRA_DIST += %D%/run.sh
CLEANFILES += $(EXTRA_PROGRAMS)
