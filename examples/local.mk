
EXTRA_DIST += %D%/pair-a.conf %D%/pair-b.conf
