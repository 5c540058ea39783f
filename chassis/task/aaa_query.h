/* aaa_query: what aaamgr answers about a call of which it holds the records. */
#ifndef CHASSIS_TASK_AAA_QUERY_H
#define CHASSIS_TASK_AAA_QUERY_H

#include "recovery/store.h"

/** Answers a question of the session manager: for recovery_ops.question. @p store: NULL: holds nothing. */
size_t chassis_aaa_answer(const struct recovery_store *store, const uint8_t *question, size_t len,
                          uint8_t *answer, size_t cap, struct srp_time now);

#endif
