#include "config.h"

#include "chassis/io/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "srp/err.h"

#define TUN_CLONE_PATH "/dev/net/tun"
#define TUN_TXQLEN     20000 /**< the default queue keeps 500 packets: 25 ms at 20 k packets/s */
#define TUN_HDR        sizeof(struct virtio_net_hdr)
#define TUN_PAD        (64 - TUN_HDR) /**< puts the IP header behind it at a multiple of 64 bytes */
#define TUN_QUEUES_MAX 256   /**< what the kernel allows */

/* Newer than the headers of some distributions. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TUN_OFFLOAD_TCP (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

_Static_assert(sizeof(((struct chassis_tun_pkt *)NULL)->vnet) >= TUN_HDR,
	       "a packet has room for the header that the device is told");

static int fail(char *why, size_t cap, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(char *why, size_t cap, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, cap, fmt, ap);
	va_end(ap);
	return code;
}

static int name_check(const char *name, char *why, size_t cap)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ)
		return fail(why, cap, SRP_EINVAL, "device name '%s': 1 to %d characters expected",
			    name, IFNAMSIZ - 1);
	return 0;
}

/** Opens one queue; the first of a device must be the first of its name on this host. */
static int queue_open(const char *name, int flags, bool first, int *out, char *why, size_t cap)
{
	struct ifreq ifr = {0};
	int fd = open(TUN_CLONE_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return fail(why, cap, SRP_EIO, "%s: %s", TUN_CLONE_PATH, strerror(errno));
	memcpy(ifr.ifr_name, name, strlen(name));
	ifr.ifr_flags = (short)(flags | (first ? IFF_TUN_EXCL : 0));
	if (ioctl(fd, TUNSETIFF, &ifr) == 0) {
		*out = fd;
		return 0;
	}
	err = errno;
	close(fd);
	if (first && (err == EBUSY || err == EEXIST || if_nametoindex(name) != 0))
		return fail(
			why, cap, SRP_EDUP,
			"device %s exists already: another chassis runs here, or the name is taken",
			name);
	return fail(why, cap, SRP_EIO, "device %s: %s", name, strerror(err));
}

/** Long queue, no addresses of its own (they would send packets of their own), up. */
static int device_up(const char *name, char *why, size_t cap)
{
	char path[96];
	struct ifreq ifr = {0};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd, rc = 0;

	if (s < 0)
		return fail(why, cap, SRP_EIO, "socket: %s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		/* Without IPv6 on the host there is nothing to switch off. */
		if (write(fd, "1", 1) != 1)
			rc = fail(why, cap, SRP_EIO, "%s: %s", path, strerror(errno));
		close(fd);
	}
	memcpy(ifr.ifr_name, name, strlen(name));
	ifr.ifr_qlen = TUN_TXQLEN;
	if (rc == 0 && ioctl(s, SIOCSIFTXQLEN, &ifr) != 0)
		rc = fail(why, cap, SRP_EIO, "queue length of %s: %s", name, strerror(errno));
	if (rc == 0 && ioctl(s, SIOCGIFFLAGS, &ifr) == 0) {
		ifr.ifr_flags = (short)((ifr.ifr_flags | IFF_UP) & ~IFF_MULTICAST);
		if (ioctl(s, SIOCSIFFLAGS, &ifr) != 0)
			rc = fail(why, cap, SRP_EIO, "bringing %s up: %s", name, strerror(errno));
	}
	close(s);
	return rc;
}

/** The header's size and the segmentation that the host's stack may leave to us. */
static int device_offload(int fd, const char *name, char *why, size_t cap)
{
	int size = (int)TUN_HDR;

	if (ioctl(fd, TUNSETVNETHDRSZ, &size) != 0)
		return fail(why, cap, SRP_EIO, "header size of %s: %s", name, strerror(errno));
	/* Segmentation of UDP came later than that of TCP: kernels without it refuse the set. */
	if (ioctl(fd, TUNSETOFFLOAD, TUN_OFFLOAD_TCP | TUN_F_USO4 | TUN_F_USO6) != 0 &&
	    ioctl(fd, TUNSETOFFLOAD, TUN_OFFLOAD_TCP) != 0)
		return fail(why, cap, SRP_EIO, "offload of %s: %s", name, strerror(errno));
	return 0;
}

int chassis_tun_open(const char *name, size_t queues, int *fds, char *why, size_t cap)
{
	const int flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	size_t n = 0;
	int rc = name_check(name, why, cap);

	if (rc != 0)
		return rc;
	if (queues == 0 || queues > TUN_QUEUES_MAX)
		return fail(why, cap, SRP_ERANGE, "%zu queues: 1 to %d expected", queues,
			    TUN_QUEUES_MAX);
	for (; rc == 0 && n < queues; n++) {
		rc = queue_open(name, flags, n == 0, &fds[n], why, cap);
		if (rc != 0)
			break;
		if (n == 0)
			rc = device_offload(fds[0], name, why, cap);
	}
	if (rc == 0)
		rc = device_up(name, why, cap);
	if (rc != 0)
		while (n > 0)
			close(fds[--n]);
	return rc;
}

int chassis_tun_dummy(const char *name, int *fd, char *why, size_t cap)
{
	int f, rc = name_check(name, why, cap);

	if (rc == 0)
		rc = queue_open(name, IFF_TUN | IFF_NO_PI, true, &f, why, cap);
	if (rc != 0)
		return rc;
	rc = device_up(name, why, cap);
	if (rc != 0) {
		close(f);
		return rc;
	}
	*fd = f;
	return 0;
}

/* Packets are read and written by syscall(): as cancellation points, which read() and write() are, each
 * would cost two locked operations more. */
int chassis_tun_read(int fd, uint8_t *buf, struct chassis_tun_pkt *out)
{
	struct virtio_net_hdr h;
	uint8_t *frame = buf + TUN_PAD;
	ssize_t n;

	do
		n = syscall(SYS_read, fd, frame, TUN_HDR + CHASSIS_TUN_PKT_MAX);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? SRP_EAGAIN : SRP_EIO;
	if ((size_t)n < TUN_HDR)
		return SRP_EIO;
	memcpy(&h, frame, sizeof(h));
	memset(out->vnet, 0, sizeof(out->vnet));
	memcpy(out->vnet, &h, sizeof(h));
	out->headed = true;
	out->ip = frame + TUN_HDR;
	out->len = (size_t)n - TUN_HDR;
	out->gso_size = h.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : h.gso_size;
	return 0;
}

void chassis_tun_remake(struct chassis_tun_pkt *p, uint16_t gso_size, size_t l4, size_t hdr_len)
{
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = p->ip[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)hdr_len,
		.gso_size = gso_size,
		.csum_start = (uint16_t)l4,
		.csum_offset = 16,
	};

	p->gso_size = gso_size;
	memcpy(p->vnet, &h, sizeof(h));
}

static ssize_t write_parts(int fd, const struct chassis_tun_pkt *p)
{
	uint8_t vnet[TUN_HDR];
	struct iovec iov[2] = {
		{.iov_base = vnet, .iov_len = sizeof(vnet)},
		{.iov_base = p->ip, .iov_len = p->len},
	};

	memcpy(vnet, p->vnet, sizeof(vnet));
	return writev(fd, iov, 2);
}

/** The header in front of the packet, in its buffer: one part costs the kernel less than two. */
static ssize_t write_whole(int fd, const struct chassis_tun_pkt *p)
{
	uint8_t *frame = p->ip - TUN_HDR;

	memcpy(frame, p->vnet, TUN_HDR);
	return syscall(SYS_write, fd, frame, TUN_HDR + p->len);
}

int chassis_tun_write(int fd, const struct chassis_tun_pkt *p)
{
	ssize_t n;

	do
		n = p->headed ? write_whole(fd, p) : write_parts(fd, p);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == ENOBUFS ? SRP_EAGAIN : SRP_EIO;
	return (size_t)n == TUN_HDR + p->len ? 0 : SRP_EIO;
}
