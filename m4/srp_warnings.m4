# Our own switches. Flags are collected in WARN_CFLAGS, SAN_FLAGS and FUZZ_FLAGS; CFLAGS stays the user's.

# SRP_WARN_TRY(FLAG): adds FLAG to WARN_CFLAGS where the compiler knows it.
AC_DEFUN([SRP_WARN_TRY], [
  AC_MSG_CHECKING([whether $CC accepts $1])
  srp_save="$CFLAGS"
  CFLAGS="$CFLAGS -Werror $1"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); WARN_CFLAGS="$WARN_CFLAGS $1"],
    [AC_MSG_RESULT([no])])
  CFLAGS="$srp_save"
])

# SRP_WARNINGS: the warnings of this project, fatal with --enable-werror.
AC_DEFUN([SRP_WARNINGS], [
  WARN_CFLAGS=
  m4_foreach_w([srp_w], [-Wall -Wextra -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wmissing-declarations -Wpointer-arith -Wcast-qual
    -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wconversion
    -Wimplicit-fallthrough], [SRP_WARN_TRY(srp_w)])
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [fail on warnings])],
    [], [enable_werror=no])
  AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  AC_SUBST([WARN_CFLAGS])
])

# SRP_SANITIZER: --with-sanitizer=address,undefined
AC_DEFUN([SRP_SANITIZER], [
  AC_ARG_WITH([sanitizer], [AS_HELP_STRING([--with-sanitizer=LIST], [e.g. address,undefined])],
    [], [with_sanitizer=no])
  SAN_FLAGS=
  AS_IF([test "$with_sanitizer" != no],
    [SAN_FLAGS="-fsanitize=$with_sanitizer -fno-sanitize-recover=all -fno-omit-frame-pointer"])
  AC_SUBST([SAN_FLAGS])
])

# SRP_FUZZER: --with-fuzzer links tests/fuzz with libFuzzer (clang); else they replay their seeds.
AC_DEFUN([SRP_FUZZER], [
  AC_ARG_WITH([fuzzer], [AS_HELP_STRING([--with-fuzzer], [link fuzz targets with libFuzzer (clang)])],
    [], [with_fuzzer=no])
  FUZZ_FLAGS=
  AS_IF([test "$with_fuzzer" = yes],
    [FUZZ_FLAGS="-fsanitize=fuzzer"; SAN_FLAGS="$SAN_FLAGS -fsanitize=fuzzer-no-link"])
  AC_SUBST([FUZZ_FLAGS])
  AM_CONDITIONAL([WITH_FUZZER], [test "$with_fuzzer" = yes])
])
