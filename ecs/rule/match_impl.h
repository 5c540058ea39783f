/* match_impl: what the parts of a matcher share: finding candidates (match.c) and trying one (eval.c).
 * Inside of ecs/rule/. */
#ifndef ECS_RULE_MATCH_IMPL_H
#define ECS_RULE_MATCH_IMPL_H

#include "ecs/rule/service_impl.h"

#define WORDS_MAX (ECS_LINES_MAX / 64)

/** What a condition, a rule or a line says of a packet. */
enum verdict { NO, MAYBE, YES };

/** Which patterns of a column hit its string; valid for one call. */
struct hits {
	uint64_t *bits;
	uint16_t *list;
	size_t n;
	uint64_t call; /**< that it was scanned in last */
};

/** What a line asks: a ruledef without what is not needed to evaluate it, close to its neighbours. */
struct rule {
	const struct cond *conds; /**< NULL: of a group */
	uint16_t n;
	bool any;
};
static inline struct rule rule_of(const struct ruledef *r)
{
	return (struct rule){.conds = r->conds, .n = r->nconds, .any = r->any};
}

struct ecs_matcher {
	const struct ecs_service *s;
	struct rule *rules;      /**< of each line */
	hs_scratch_t *scratch;
	struct hits *hits; /**< [ncolumns] */
	uint64_t call;     /**< the number of this one */
	struct ecs_times times;
	uint64_t hit[WORDS_MAX]; /**< lines that a hit makes possible; what counts of it says the call */
};

/** A call, as its parts see it. */
struct call {
	struct ecs_matcher *m;
	const struct rulebase *rb;
	const struct ecs_match_in *in;
	const uint64_t *off; /**< lines of the rulebase that are not in force; NULL: all are */
	uint64_t words;   /**< of the matcher's hit, that are of this call; the others are empty */
	uint64_t unknown; /**< fields, as FIELD_BIT, of which something may still come */
	unsigned proto;   /**< the set of lines that the packet's protocol leaves */
	bool maybe;
};
_Static_assert(WORDS_MAX <= 64, "the words of a set are bits of one");

/** What a line says. The strings that it looks at have been scanned. */
enum verdict ecs_eval_line(const struct call *k, uint16_t line);
/** The string of a T_STR field; NULL: there is none, or not yet. */
const char *ecs_field_string(const struct ecs_match_in *in, unsigned field);
/** The number of a T_CODE or T_ENUM field; 0: not known, or not yet. */
uint16_t ecs_field_number(const struct ecs_match_in *in, unsigned field);

#endif
