/* tcp: state of a connection as a rule line `tcp state` names it. Opening is told from the side
 * that sent the SYN, closing from the subscriber's end. Acknowledgements are not compared with
 * sequence numbers: the next one from the right side counts. */
#ifndef ECS_TCP_H
#define ECS_TCP_H

#include "ecs/packet.h"
#include "ecs/rule/service.h"

/** The state after a packet; @p opener is the side that sent the SYN. */
enum ecs_tcp_state ecs_tcp_step(enum ecs_tcp_state st, enum ecs_dir dir, enum ecs_dir opener,
                                uint8_t flags);
/** True between the SYN and the end of the handshake. */
bool ecs_tcp_half_open(enum ecs_tcp_state st);
/** True when both sides have closed it. */
bool ecs_tcp_closed(enum ecs_tcp_state st);

#endif
