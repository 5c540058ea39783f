/* chapter_table: the table of checkpoints sent, as the flow recovery chapter prints it. */
#ifndef TESTS_UNIT_CHAPTER_TABLE_H
#define TESTS_UNIT_CHAPTER_TABLE_H

static const char chapter_table[] =
	"SRP Session Checkpoint Sent Statistics \n"
	"====================================== \n"
	"Checkpoints Rate limited-------------------------------------------------------+ \n"
	"Bytes sent------------------------------------------------------------------+  | \n"
	"External_audit_in_progress-----------------------------------------+        |  | \n"
	"Recovery in progress--------------------------------------------+  |        |  | \n"
	"Write list congested-----------------------------------------+  |  |        |  | \n"
	"Invalid GR state------------------------------------------+  |  |  |        |  | \n"
	"Session not ready for recovery-------------------------+  |  |  |  |        |  | \n"
	"Encoding failure ignored----------------------------+  |  |  |  |  |        |  | \n"
	"Encoding failure---------------------------------+  |  |  |  |  |  |        |  | \n"
	"Ignored as Invalidate CRR sent----------------+  |  |  |  |  |  |  |        |  | \n"
	"Ignored as first FC never sent-------------+  |  |  |  |  |  |  |  |        |  | \n"
	"Checkpoint rate(last 30 min)------------+  |  |  |  |  |  |  |  |  |        |  | \n"
	"Checkpoint rate(now)-----------------+  |  |  |  |  |  |  |  |  |  |        |  | \n"
	"Encoding attempted---------------+   |  |  |  |  |  |  |  |  |  |  |        |  | \n"
	"Messages sent--------------+     |   |  |  |  |  |  |  |  |  |  |  |        |  | \n"
	"Checkpoint-type            |     |   |  |  |  |  |  |  |  |  |  |  |        |  | \n"
	" \n"
	"     UPDATE_CLPSTATS       0     0   0  0  0  0  0  0  0  0  0  0  3        0  0 \n"
	"     ACS_SESS_INFO      2060  2060   0  0  0  0  0  0  0  0  0  0  0   298130  0 \n"
	"     ACS_CALL_INFO      2060  2060   0  0  0  0  0  0  0  0  0  0  0   306240  0 \n"
	"     PGW_UBR_MBR_INFO   1000  1000   0  0  0  0  0  0  0  0  0  0  0   457000  0 \n"
	"     ACS_FLOW_INFO        30    50   0  0  0  0  0  0  0  0  0  0  0     8490 20 \n"
	"     DEL_ACS_FLOW_INFO    30    50   0  0  0  0  0  0  0  0  0  0  0     6060 20 \n"
	"     Full Checkpoint    1000  1000   0  0  0  0  0  0  0  0  0  0  0  4754470  0 \n"
	"================================================================================================== \n";

#endif
