/* segment: the head of a slab of shared memory that one task writes and any task reads. A sequence
 * lock makes a copy consistent without ever holding up the writer; a beat tells that the writer's
 * loop turns. Works on any memory, between processes too (MAP_SHARED); maps nothing itself. */
#ifndef STATS_SEGMENT_H
#define STATS_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_SLAB_MAGIC 0x42414c53u /**< "SLAB" */
#define STATS_SLAB_TRIES 4096u       /**< looks at an odd sequence before a reader gives up */

/** First member of a slab; the slab is aligned to 8 bytes. Fields are touched by stats_slab_*
 *  alone. */
struct stats_slab {
	uint32_t magic;
	uint32_t layout;  /**< version of what follows the head: a reader of another one stays away */
	uint64_t size;    /**< of the whole slab, head included */
	uint32_t owner;   /**< process id of the writer */
	uint32_t seq;     /**< odd while the owner writes */
	uint64_t beat_us; /**< when the owner's loop turned last; 0 never */
};

/** What a reader gets. */
enum stats_slab_result {
	STATS_SLAB_OK,      /**< a consistent copy */
	STATS_SLAB_TORN,    /**< a copy, taken while the owner wrote (or died writing): single values
	                         are whole, but they need not fit each other */
	STATS_SLAB_FOREIGN  /**< no slab, shorter than asked, or misaligned: nothing was copied */
};

/**
 * Makes the head of a slab of @p size bytes; what follows the head is left as it is.
 *
 * @param slab    aligned to 8, kept until the memory goes
 * @param layout  version of the caller's layout
 * @param owner   process id of the writer
 */
void stats_slab_init(struct stats_slab *slab, size_t size, uint32_t layout, uint32_t owner);
/**
 * Makes @p owner the writer of a slab whose writer is gone: values stay, an odd sequence is closed.
 * The caller knows that the former owner does not run any more.
 */
void stats_slab_adopt(struct stats_slab *slab, uint32_t owner, uint64_t now_us);
/** True when @p slab is a slab of @p layout that holds at least @p len bytes. */
bool stats_slab_valid(const void *slab, size_t len, uint32_t layout);

/** Opens a change by the owner: until the end, readers wait or are told. Not nested. */
void stats_slab_write_begin(struct stats_slab *slab);
/** Ends the change. Called by the owner at the end of a loop turn. */
void stats_slab_write_end(struct stats_slab *slab);
/** Tells that the owner's loop turns; outside or inside a change. */
void stats_slab_beat(struct stats_slab *slab, uint64_t now_us);
/** When the owner beat last (microseconds, the owner's monotonic clock); 0 never. */
uint64_t stats_slab_last_beat(const struct stats_slab *slab);
/** The writer's process id. */
uint32_t stats_slab_owner(const struct stats_slab *slab);

/**
 * Copies the first @p len bytes of a slab (head included) as of one moment between two changes.
 * Tries a bounded number of times: a dead owner's odd sequence does not hold up the reader.
 *
 * @param slab  borrowed; may change meanwhile
 * @param copy  @p len bytes aligned to 8; also written when STATS_SLAB_TORN is returned
 */
enum stats_slab_result stats_slab_read(const void *slab, size_t len, void *copy);

#endif
