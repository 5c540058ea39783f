noinst_LIBRARIES += %D%/librecovery.a
%C%_librecovery_a_SOURCES = \
	%D%/counters.c	%D%/counters.h	%D%/counters.def	%D%/kind_counters.def	\
	%D%/replica.h
RECOVERY_LIBS = %D%/librecovery.a $(SRP_LIBS) $(LZ4_LIBS)
