/* guard.h: proof that only kernels touch device memory. Linux, for tests; not part of the package.
 *
 * A table that passes every call on to another one (ref or cpu), and a device of its own whose pages can't be read or
 * written except while a kernel, or one of the device's own functions, runs. Whatever else touches them (an operation,
 * a model, a trainer that dereferences tensor memory, which would crash or read nonsense on a GPU) faults; the fault is
 * noted and the program goes on. The wrappers are made from kernels.h by tests/engine/guard_wrap.awk, so a new entry is
 * guarded as soon as it is declared. They also look at what they are given: arrays must be the device's, or NULL. */
#ifndef CW_GUARD_H
#define CW_GUARD_H

#include "../kernel_list.h"

extern const cw_device cw_device_guard;

/* The guarded table over `inner`; NULL where there is none (other systems). One at a time: the next call changes what all
 * guarded calls are passed on to. */
const cw_kernels *cw_kernels_guard(const cw_kernels *inner);

/* Touches from outside and pointers of the host handed to kernels since the last call; `text` (size) says what the first
 * one was. */
int64_t cw_guard_touches(char *text, size_t size);
int64_t cw_guard_held(void); /* bytes taken and not given back */

#endif
