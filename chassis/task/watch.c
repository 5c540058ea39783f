#include "config.h"
#include "chassis/task/supervisor_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "srp/err.h"

#define TICK_S 0.1

const char *sup_who(const struct chassis_supervisor *s, size_t slot, char *buf, size_t cap)
{
	const struct sup_slot *x = &s->slot[slot];

	if (x->instance)
		snprintf(buf, cap, "%s:%u", x->row->name, x->instance);
	else
		snprintf(buf, cap, "%s%s", x->row->name, x->standby ? CHASSIS_STANDBY_SUFFIX : "");
	return buf;
}

/* True when this task has died too often to be started once more. */
static bool crash_loop(struct sup_slot *slot, struct srp_time now)
{
	struct srp_time *at = &slot->death[slot->deaths % SUP_CRASHES];
	bool loop = slot->deaths >= SUP_CRASHES && srp_time_since(*at, now) <= SRP_SEC(SUP_CRASH_S);

	*at = now;
	slot->deaths++;
	return loop;
}

/* A chassis that has never run as a whole is better ended, for who starts it to see, and one whose peer stands
 * by, for the peer to go on. A lone one goes on with what it has. Without its mirrors it has all that it needs
 * until a session manager dies. */
static bool ends_by(const struct chassis_supervisor *s, size_t slot)
{
	return s->slot[slot].row->task != CHASSIS_TASK_AAAMGR && (!s->all_ready || sup_peer_stands_by(s));
}

void sup_replace(struct chassis_supervisor *s, size_t slot)
{
	char name[48];
	int rc;

	if (sup_take_over(s, slot))
		return;
	rc = sup_spawn(s, slot);
	if (rc == SRP_OK)
		return;
	if (!ends_by(s, slot)) {
		sup_put_off(s, slot, "cannot be started: %s", sup_spawn_why(rc));
		return;
	}
	chassis_log(LOG_CRIT, "%s cannot be started: %s: this chassis gives up",
	            sup_who(s, slot, name, sizeof(name)), sup_spawn_why(rc));
	chassis_supervisor_give_up(s);
}

/* What it could say itself of why it ends is kept for the status. */
static void too_often(struct chassis_supervisor *s, size_t slot)
{
	const char *why = s->shared->slab[slot]->not_ready;
	int len = (int)sizeof(s->shared->slab[slot]->not_ready) - 1;
	char name[48];

	if (!ends_by(s, slot)) {
		s->slot[slot].looping = true;
		if (why[0])
			sup_put_off(s, slot, "dies too often: %.*s", len, why);
		else
			sup_put_off(s, slot, "dies too often");
		return;
	}
	chassis_log(LOG_CRIT, "%s has died more than %d times in %d seconds: this chassis gives up",
	            sup_who(s, slot, name, sizeof(name)), SUP_CRASHES, SUP_CRASH_S);
	chassis_supervisor_give_up(s);
}

void sup_died(struct sup_child *c)
{
	struct chassis_supervisor *s = c->sup;
	struct sup_slot *slot = &s->slot[c->slot];
	struct srp_time now = chassis_now();
	bool loop, steady;
	char name[48];

	if (slot->live != c)
		return;
	steady = !sup_unsteady(slot, now);
	slot->live = NULL;
	chassis_conn_close(c->line);
	c->line = NULL;
	sup_crash_see(c);
	if (!slot->standby)
		sup_tell_gone(s, c->slot);
	if (s->stage != SUP_RUN)
		return;
	sup_who(s, c->slot, name, sizeof(name));
	loop = !c->ordered && crash_loop(slot, now);
	if (slot->standby) {
		sup_standby_gone(s, c->slot, c->ordered, loop);
	} else if (loop || !steady) {
		too_often(s, c->slot);
	} else {
		slot->delay_ms = 0;
		slot->looping = false;
		chassis_log(LOG_ERR, "%s (pid %d) is dead and is started again", name, (int)c->pid);
		sup_replace(s, c->slot);
	}
	if (s->stage == SUP_RUN)
		sup_sr_judge(s, chassis_now());
}

static void log_exit(const struct sup_child *c, int st)
{
	const struct chassis_supervisor *s = c->sup;
	int level = s->stage != SUP_RUN ? LOG_INFO : LOG_ERR;
	char name[48];

	sup_who(s, c->slot, name, sizeof(name));
	if (WIFSIGNALED(st))
		chassis_log(level, "%s (pid %d) was ended by signal %d (%s)", name, (int)c->pid,
		            WTERMSIG(st), strsignal(WTERMSIG(st)));
	else
		chassis_log(level, "%s (pid %d) has ended with status %d", name, (int)c->pid,
		            WEXITSTATUS(st));
}

void sup_exited(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sup_child *c = w->data;
	struct chassis_supervisor *s = c->sup;
	int st = 0;

	(void)loop;
	(void)revents;
	if (waitpid(c->pid, &st, WNOHANG) != c->pid)
		return;
	log_exit(c, st);
	sup_died(c);
	sup_crash_record(c, st);
	sup_child_free(c);
	chassis_supervisor_advance(s);
}

/* Some process has released its mutex: it is dead, even if its memory is not yet free. */
static void on_guard(struct ev_loop *loop, ev_io *w, int revents)
{
	struct chassis_supervisor *s = w->data;
	uint64_t n;

	(void)loop;
	(void)revents;
	(void)!read(s->guard_fd, &n, sizeof(n));
	for (size_t i = 1; i < s->shared->nslabs; i++) {
		struct sup_child *c = s->slot[i].live;

		if (c && chassis_guard_fired(c->guard))
			sup_died(c);
	}
}

static uint64_t patience_us(const struct sup_slot *slot, const struct sup_child *c)
{
	if (!c->ready && !c->becoming)
		return SRP_MS(SUP_START_MS);
	return SRP_MS(slot->standby ? CHASSIS_IDLE_STUCK_MS : CHASSIS_STUCK_MS);
}

/* Kills the process of a slot if it has given no sign of life for so long. */
static void kill_silent(struct chassis_supervisor *s, size_t slot, uint64_t patience, struct srp_time now)
{
	struct sup_child *c = s->slot[slot].live;
	struct srp_time beat = {stats_slab_last_beat(&s->shared->slab[slot]->head)};
	char name[48];

	if (beat.us < c->born.us)
		beat = c->born;
	if (beat.us < s->fresh.us)
		beat = s->fresh;
	if (srp_time_since(beat, now) <= patience)
		return;
	chassis_log(LOG_ERR, "%s (pid %d) gave no beat for %llu ms: it is killed",
	            sup_who(s, slot, name, sizeof(name)), (int)c->pid,
	            (unsigned long long)(srp_time_since(beat, now) / 1000));
	sup_kill(c);
}

static void stuck(struct chassis_supervisor *s, struct srp_time now)
{
	for (size_t i = 1; i < s->shared->nslabs; i++) {
		struct sup_child *c = s->slot[i].live;

		if (c && !c->killed)
			kill_silent(s, i, patience_us(&s->slot[i], c), now);
	}
}

void sup_hangs(struct sup_child *c)
{
	struct chassis_supervisor *s = c->sup;
	size_t slot = chassis_slot(CHASSIS_TASK_AAAMGR, s->slot[c->slot].instance);
	const struct sup_child *mirror = s->slot[slot].live;
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	if (s->slot[c->slot].live != c || !c->line)
		return;
	if (mirror) {
		/* One that lives says itself what it holds. */
		if (!mirror->killed)
			kill_silent(s, slot, SRP_MS(SUP_HANG_MS), chassis_now());
		return;
	}
	srp_mp_w_array(&w, 1);
	srp_mp_w_uint(&w, 0);
	(void)chassis_conn_send(c->line, CHASSIS_IPC_SR_STORE, w.start, srp_mp_w_len(&w), -1);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct chassis_supervisor *s = w->data;
	struct srp_time now = chassis_now();
	struct sup_child *c, *next;

	(void)loop;
	(void)revents;
	stats_slab_beat(&s->shared->slab[0]->head, now.us);
	if (srp_time_since(s->last_tick, now) > SRP_MS(SUP_GAP_MS)) {
		/* What stopped the supervisor may have stopped all: nobody is judged by that time.
		 */
		chassis_log(LOG_WARNING, "the supervisor stood still for %llu ms",
		            (unsigned long long)(srp_time_since(s->last_tick, now) / 1000));
		s->fresh = now;
	}
	s->last_tick = now;
	for (c = TAILQ_FIRST(&s->children); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!c->pid)
			sup_child_free(c);
	}
	if (s->stage == SUP_RUN) {
		stuck(s, now);
		sup_repair(s);
		sup_again(s, now);
	}
	if (s->stage == SUP_RUN) {
		sup_standbys(s, now);
		sup_keys_look(s, now);
		sup_sr_judge(s, now);
	}
	sup_commit_advance(s, now);
	chassis_supervisor_advance(s);
}

void sup_watch_start(struct chassis_supervisor *s)
{
	s->last_tick = s->fresh = chassis_now();
	ev_io_init(&s->guards, on_guard, s->guard_fd, EV_READ);
	ev_timer_init(&s->tick, on_tick, TICK_S, TICK_S);
	s->guards.data = s->tick.data = s;
	ev_set_priority(&s->guards, EV_MAXPRI); /* a death first of all */
	ev_io_start(s->loop, &s->guards);
	ev_timer_start(s->loop, &s->tick);
}

void sup_watch_stop(struct chassis_supervisor *s)
{
	ev_io_stop(s->loop, &s->guards);
	ev_timer_stop(s->loop, &s->tick);
}
