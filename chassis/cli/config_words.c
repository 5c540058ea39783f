/* config_words: what handlers of the active-charging service share: a matched line as words for a
 * table of commands, and refusals as the service words them. */
#include <config.h>
#include "chassis/cli/config_impl.h"

#include <string.h>

#include "srp/err.h"

/* The service says what was expected; some of its texts name what is in the way. */
int cfg_told(struct cfg *c, int rc, const char *key)
{
	char text[sizeof(c->why.text)];

	if (rc == SRP_OK)
		return rc;
	c->at = key;
	if (!c->why.text[0])
		return cfg_refuse(c, key, "expected another value: %s", srp_strerror(rc));
	if (strncmp(c->why.text, "expected ", 9) != 0) {
		memcpy(text, c->why.text, sizeof(text));
		return cfg_refuse(c, key, "expected something else: %.130s", text);
	}
	return rc;
}

static const char *whole(struct cfg_words *ws, const struct chassis_arg *a)
{
	char *p = ws->store + ws->used;

	/* keywords in full may need more room than the line that they were typed in */
	if (!a->keyword || a->key_len >= sizeof(ws->store) - ws->used)
		return a->text;
	memcpy(p, a->key, a->key_len);
	p[a->key_len] = '\0';
	ws->used += a->key_len + 1;
	return p;
}

void cfg_words_of(const struct chassis_match *m, struct cfg_words *ws)
{
	size_t first = 0;

	ws->n = ws->used = 0;
	ws->form = chassis_match_has(m, "no") ? ECS_FORM_NO
	           : chassis_match_has(m, "default") ? ECS_FORM_DEFAULT : ECS_FORM_SET;
	if (ws->form != ECS_FORM_SET)
		first = 1;
	for (size_t i = first; i < m->n; i++)
		ws->w[ws->n++] = whole(ws, &m->arg[i]);
}
