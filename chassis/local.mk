
noinst_LIBRARIES += %D%/libchassis.a
%C%_libchassis_a_SOURCES = \
	%D%/io/announce.c	%D%/io/announce.h	\
	%D%/io/netlink.c	%D%/io/netlink.h	\
	%D%/io/steering.c	\
	%D%/io/tun.c	%D%/io/tun.h
CHASSIS_LIBS = %D%/libchassis.a $(RECOVERY_LIBS) $(ECS_LIBS) $(SRP_LIBS) $(OPENSSL_LIBS) $(MNL_LIBS)
