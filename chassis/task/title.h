/* title: what `ps` shows of a process. */
#ifndef CHASSIS_TASK_TITLE_H
#define CHASSIS_TASK_TITLE_H

/**
 * Finds the room that the kernel shows as the command line, and moves the environment out of it.
 * Called once by main, before anything keeps a pointer into argv or environ.
 */
void chassis_title_init(int argc, char **argv);
/** Shows "chassisd: @p name", or "chassisd: NAME:INSTANCE" where @p instance is not 0. */
void chassis_title_set(const char *name, unsigned instance);

#endif
