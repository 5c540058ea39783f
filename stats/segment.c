#include "config.h"
#include "stats/segment.h"

#include <string.h>

#define COPIES_MAX 8u /* a copy that the owner broke into is repeated this often */

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

/* Word by word, so that no single counter is ever read half: the owner writes aligned words. */
static void copy_words(const void *from, size_t len, void *to)
{
	const uint64_t *src = from;
	uint64_t *dst = to;
	size_t n = len / sizeof(*src);

	for (size_t i = 0; i < n; i++)
		dst[i] = __atomic_load_n(&src[i], __ATOMIC_RELAXED);
	memcpy(dst + n, src + n, len % sizeof(*src));
}

void stats_slab_init(struct stats_slab *slab, size_t size, uint32_t layout, uint32_t owner)
{
	*slab = (struct stats_slab){
		.magic = STATS_SLAB_MAGIC, .layout = layout, .size = size, .owner = owner};
}

void stats_slab_adopt(struct stats_slab *slab, uint32_t owner, uint64_t now_us)
{
	slab->owner = owner;
	stats_slab_beat(slab, now_us);
	if (slab->seq & 1u)
		stats_slab_write_end(slab);
}

bool stats_slab_valid(const void *slab, size_t len, uint32_t layout)
{
	const struct stats_slab *s = slab;

	return s && (uintptr_t)slab % sizeof(uint64_t) == 0 && len >= sizeof(*s) &&
	       s->magic == STATS_SLAB_MAGIC && s->layout == layout && s->size >= len;
}

void stats_slab_write_begin(struct stats_slab *slab)
{
	__atomic_store_n(&slab->seq, slab->seq | 1u, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* the odd sequence is seen before any change */
}

void stats_slab_write_end(struct stats_slab *slab)
{
	__atomic_store_n(&slab->seq, (slab->seq | 1u) + 1u, __ATOMIC_RELEASE);
}

void stats_slab_beat(struct stats_slab *slab, uint64_t now_us)
{
	__atomic_store_n(&slab->beat_us, now_us, __ATOMIC_RELAXED);
}

uint64_t stats_slab_last_beat(const struct stats_slab *slab)
{
	return __atomic_load_n(&slab->beat_us, __ATOMIC_RELAXED);
}

uint32_t stats_slab_owner(const struct stats_slab *slab)
{
	return __atomic_load_n(&slab->owner, __ATOMIC_RELAXED);
}

enum stats_slab_result stats_slab_read(const void *slab, size_t len, void *copy)
{
	const struct stats_slab *s = slab;
	unsigned copies = 0;

	if (!s || ((uintptr_t)slab | (uintptr_t)copy) % sizeof(uint64_t) || len < sizeof(*s) ||
	    s->magic != STATS_SLAB_MAGIC || s->size < len)
		return STATS_SLAB_FOREIGN;
	for (unsigned i = 0; i < STATS_SLAB_TRIES && copies < COPIES_MAX; i++) {
		uint32_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);

		if (seq & 1u) {
			relax();
			continue;
		}
		copy_words(slab, len, copy);
		copies++;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&s->seq, __ATOMIC_RELAXED) == seq)
			return STATS_SLAB_OK;
	}
	copy_words(slab, len, copy);
	return STATS_SLAB_TORN;
}
