/* The steering programs are a dozen instructions, assembled here: nothing but bpf(2) is needed on
 * the machine that builds and on the one that runs. */
#include "config.h"

#include "chassis/io/tun.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "srp/err.h"

#define PREFIX_BYTES 8 /**< of an IPv6 subscriber: /64 */

struct chassis_steer {
	int map;
	int prog[2]; /**< by enum ecs_dir; -1 where only the map is known */
};

/** Where the subscriber's address lies in the header, by direction. */
static const int8_t v4_offset[] = {[ECS_UPLINK] = 12, [ECS_DOWNLINK] = 16};
static const int8_t v6_offset[] = {[ECS_UPLINK] = 8, [ECS_DOWNLINK] = 24};

static int bpf_call(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/** Key of an address: IPv4-mapped as it is, IPv6 cut to its prefix; they cannot meet. */
static void key_of(const struct ecs_addr *a, uint8_t key[16])
{
	memcpy(key, a->b, 16);
	if (!ecs_addr_is4(a))
		memset(key + PREFIX_BYTES, 0, 16 - PREFIX_BYTES);
}

/* clang-format off */
#define INSN(c, d, s, o, i) \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV_REG(d, s)       INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i)       INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD_IMM(d, i)       INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define RSH_IMM(d, i)       INSN(BPF_ALU64 | BPF_RSH | BPF_K, d, 0, 0, i)
#define LOAD(size, d, s, o) INSN(BPF_LDX | (size) | BPF_MEM, d, s, o, 0)
#define STORE(size, d, o, i) INSN(BPF_ST | (size) | BPF_MEM, d, 0, o, i)
#define JUMP(op, d, i, to)  INSN(BPF_JMP | (op) | BPF_K, d, 0, to, i)
#define CALL(f)             INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT                INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

enum { R0, R1, R2, R3, R4, R6 = 6, R7, FP = 10 };

/** Copies @p n bytes at @p off of the packet to the stack at @p to; 6 instructions; R0 is 0 then. */
#define PACKET_BYTES(off, to, n) \
	MOV_REG(R1, R6), MOV_IMM(R2, off), MOV_REG(R3, FP), ADD_IMM(R3, to), MOV_IMM(R4, n), \
	CALL(BPF_FUNC_skb_load_bytes)

/** Stack: the version byte, and below the frame pointer the key. */
#define AT_VERSION (-24)
#define AT_KEY     (-16)

static int program_load(int map, enum ecs_dir dir, char *why, size_t cap)
{
	/* Jumps count from the next instruction; the places are named on the right. */
	const struct bpf_insn code[] = {
		MOV_REG(R6, R1),                              /*  0 */
		PACKET_BYTES(0, AT_VERSION, 1),               /*  1 */
		JUMP(BPF_JNE, R0, 0, 32),                     /*  7: miss at 40 */
		STORE(BPF_DW, FP, AT_KEY, 0),                 /*  8 */
		STORE(BPF_DW, FP, AT_KEY + 8, 0),             /*  9 */
		LOAD(BPF_B, R7, FP, AT_VERSION),              /* 10 */
		RSH_IMM(R7, 4),                               /* 11 */
		JUMP(BPF_JEQ, R7, 4, 9),                      /* 12: version 4 at 22 */
		JUMP(BPF_JNE, R7, 6, 26),                     /* 13: miss at 40 */
		PACKET_BYTES(v6_offset[dir], AT_KEY, PREFIX_BYTES), /* 14 */
		JUMP(BPF_JNE, R0, 0, 19),                     /* 20: miss at 40 */
		JUMP(BPF_JA, 0, 0, 8),                        /* 21: look up at 30 */
		STORE(BPF_H, FP, AT_KEY + 10, 0xffff),        /* 22: version 4 */
		PACKET_BYTES(v4_offset[dir], AT_KEY + 12, 4), /* 23 */
		JUMP(BPF_JNE, R0, 0, 10),                     /* 29: miss at 40 */
		INSN(BPF_LD | BPF_DW | BPF_IMM, R1, BPF_PSEUDO_MAP_FD, 0, map), /* 30: look up */
		INSN(0, 0, 0, 0, 0),                          /* 31: second half */
		MOV_REG(R2, FP),                              /* 32 */
		ADD_IMM(R2, AT_KEY),                          /* 33 */
		CALL(BPF_FUNC_map_lookup_elem),               /* 34 */
		JUMP(BPF_JEQ, R0, 0, 2),                      /* 35: absent at 38 */
		LOAD(BPF_W, R0, R0, 0),                       /* 36 */
		EXIT,                                         /* 37 */
		MOV_IMM(R0, 0),                               /* 38: absent */
		EXIT,                                         /* 39 */
		MOV_IMM(R0, 0),                               /* 40: miss */
		EXIT,                                         /* 41 */
	};
	/* clang-format on */
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = sizeof(code) / sizeof(code[0]),
		.insns = (uint64_t)(uintptr_t)code,
		.license = (uint64_t)(uintptr_t) "",
	};
	int fd = bpf_call(BPF_PROG_LOAD, &attr);

	if (fd < 0)
		snprintf(why, cap, "steering program: %s", strerror(errno));
	return fd;
}

struct chassis_steer *chassis_steer_new(uint32_t entries, char *why, size_t cap)
{
	/* Without preallocation: a million entries take memory only when they are there. */
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = 16,
		.value_size = sizeof(uint32_t),
		.max_entries = entries,
		.map_flags = BPF_F_NO_PREALLOC,
	};
	struct chassis_steer *s = malloc(sizeof(*s));

	if (s == NULL) {
		snprintf(why, cap, "out of memory");
		return NULL;
	}
	*s = (struct chassis_steer){.map = bpf_call(BPF_MAP_CREATE, &attr), .prog = {-1, -1}};
	if (s->map < 0) {
		snprintf(why, cap, "steering map of %u entries: %s", entries, strerror(errno));
		goto out;
	}
	for (int d = ECS_UPLINK; d <= ECS_DOWNLINK; d++) {
		s->prog[d] = program_load(s->map, (enum ecs_dir)d, why, cap);
		if (s->prog[d] < 0)
			goto out;
	}
	return s;
out:
	chassis_steer_free(s);
	return NULL;
}

int chassis_steer_attach(struct chassis_steer *s, int tun_fd, enum ecs_dir dir)
{
	if (s->prog[dir] < 0)
		return SRP_ESTATE;
	return ioctl(tun_fd, TUNSETSTEERINGEBPF, &s->prog[dir]) == 0 ? 0 : SRP_EIO;
}

int chassis_steer_map_fd(const struct chassis_steer *s)
{
	return s->map;
}

struct chassis_steer *chassis_steer_from_map(int map_fd)
{
	struct chassis_steer *s = malloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	*s = (struct chassis_steer){.map = map_fd, .prog = {-1, -1}};
	return s;
}

int chassis_steer_set(struct chassis_steer *s, const struct ecs_addr *addr, uint32_t queue)
{
	uint8_t key[16];
	union bpf_attr attr = {
		.map_fd = (uint32_t)s->map,
		.key = (uint64_t)(uintptr_t)key,
		.value = (uint64_t)(uintptr_t)&queue,
		.flags = BPF_ANY,
	};

	key_of(addr, key);
	if (bpf_call(BPF_MAP_UPDATE_ELEM, &attr) == 0)
		return 0;
	switch (errno) {
	case E2BIG:
		return SRP_EFULL;
	case ENOMEM:
		return SRP_ENOMEM;
	default:
		return SRP_EIO;
	}
}

int chassis_steer_del(struct chassis_steer *s, const struct ecs_addr *addr)
{
	uint8_t key[16];
	union bpf_attr attr = {
		.map_fd = (uint32_t)s->map,
		.key = (uint64_t)(uintptr_t)key,
	};

	key_of(addr, key);
	if (bpf_call(BPF_MAP_DELETE_ELEM, &attr) == 0)
		return 0;
	return errno == ENOENT ? SRP_ENOENT : SRP_EIO;
}

void chassis_steer_free(struct chassis_steer *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < 2; i++)
		if (s->prog[i] >= 0)
			close(s->prog[i]);
	if (s->map >= 0)
		close(s->map);
	free(s);
}
