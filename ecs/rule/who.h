/* who: bits of who says what lines of L7 ask for. */
#ifndef ECS_RULE_WHO_H
#define ECS_RULE_WHO_H

#define ECS_WHO_HTTP  1u  /**< requests */
#define ECS_WHO_TLS   2u
#define ECS_WHO_QUIC  4u
#define ECS_WHO_DNS   8u
#define ECS_WHO_REPLY 16u /**< responses of HTTP */
#define ECS_WHO_ALL   31u

#endif
