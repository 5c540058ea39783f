/* rtsp: the media that an RTSP session sets up (RFC 2326): SETUP requests and what the server answers
 * to them. Reads both directions of a connection, line by line; bodies and interleaved data are passed
 * over. */
#ifndef ECS_RTSP_H
#define ECS_RTSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecs/packet.h"

#define ECS_RTSP_LINE_MAX   1023u       /**< characters; a longer header field is not read */
#define ECS_RTSP_BODY_MAX   (1u << 20)  /**< bytes of a body; after a longer one nothing is read */
#define ECS_RTSP_SETUPS_MAX 8u          /**< without an answer; the oldest makes room */
#define ECS_RTSP_MEDIA_MAX  8u          /**< not taken yet; those beyond are counted in missed */

/** Media over UDP from a server to one subscriber. */
struct ecs_rtsp_media {
	uint16_t client[2], server[2];  /**< ports of RTP and RTCP; both 0: there is no RTCP */
	struct ecs_addr source, destination; /**< as the server names them */
	bool has_source, has_destination;
};

/** A Transport header field. */
struct ecs_rtsp_transport {
	bool udp, client, server;       /**< unicast over UDP; which ports it has */
	struct ecs_rtsp_media media;
};

/** One direction. */
struct ecs_rtsp_side {
	enum { ECS_RTSP_START, ECS_RTSP_HEAD, ECS_RTSP_FRAME } at;
	uint32_t skip;                  /**< bytes to be passed over */
	uint16_t n;                     /**< characters of the line */
	bool cut;                       /**< it was longer */
	bool reply, setup, ok, has_cseq; /**< of the message */
	uint32_t cseq, length;
	struct ecs_rtsp_transport transport;
	char line[ECS_RTSP_LINE_MAX + 1];
};

/** Zeroed: nothing seen. */
struct ecs_rtsp {
	bool known;                     /**< the opener has sent a request of RTSP */
	bool over;                      /**< its owner reads no further */
	uint8_t nsetups, nmedia;
	uint32_t missed;
	struct {
		uint32_t cseq;
		bool ports;             /**< client is that of the request */
		uint16_t client[2];
	} setup[ECS_RTSP_SETUPS_MAX];   /**< oldest first */
	struct ecs_rtsp_media media[ECS_RTSP_MEDIA_MAX]; /**< found; nmedia is set to 0 by the taker */
	struct ecs_rtsp_side to, from;
};

/**
 * Reads what the side that opened the connection has sent, or the other one. NULL: bytes are missing.
 *
 * @return false: it is not RTSP, or cannot be followed any more; what was found stays
 */
bool ecs_rtsp_to(struct ecs_rtsp *r, const uint8_t *data, size_t len);
bool ecs_rtsp_from(struct ecs_rtsp *r, const uint8_t *data, size_t len);

#endif
