/* program: a pattern of words, compiled into nodes: a word, an argument, a fork, the end. */
#ifndef CHASSIS_CLI_PROGRAM_H
#define CHASSIS_CLI_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chassis/cli/types.h"

enum chassis_node_op {
	CHASSIS_NODE_WORD,   /**< takes a keyword, goes on at a */
	CHASSIS_NODE_ARG,    /**< takes an argument, goes on at a */
	CHASSIS_NODE_SPLIT,  /**< goes on at a and at b */
	CHASSIS_NODE_JUMP,   /**< goes on at a */
	CHASSIS_NODE_MATCH   /**< the row is complete */
};

struct chassis_node {
	uint8_t op;          /**< enum chassis_node_op */
	uint16_t row;
	uint16_t a, b;
	const char *text;    /**< WORD: the keyword; ARG: what stands in the pattern */
	size_t len;
	const char *key;     /**< under which a match offers it */
	size_t key_len;
	struct chassis_type_spec type;
};

struct chassis_program {
	struct chassis_node *node;
	size_t n, cap;
};

/**
 * Compiles one pattern behind what is there.
 * @param first  receives the node where it begins
 * @return 0, SRP_EFORMAT (brackets, an unknown type, wrong limits), SRP_EFULL, SRP_ENOMEM
 */
int chassis_program_add(struct chassis_program *p, const char *pattern, uint16_t row,
                        uint16_t *first);
void chassis_program_free(struct chassis_program *p);

/** True when two nodes accept the same thing. */
bool chassis_node_same(const struct chassis_node *a, const struct chassis_node *b);
/** Writes what a node accepts: a keyword as it is, a description of an argument, "end of line". */
void chassis_node_describe(const struct chassis_node *n, char *buf, size_t cap);

#endif
