/* kernels.c: the tables. Activations' values and slopes are in ref/ref_elementwise.c. */
#include "kernels.h"

#include "ref/ref.h"
#include "cpu/cpu.h"

#include <string.h>

#define REF_ENTRY(entry) .entry = cw_ref_##entry,
#define CPU_ENTRY(entry) .entry = cw_cpu_##entry,
#define HOST_TABLE(table) .name = table, .device = &cw_device_host
const cw_kernels cw_kernels_ref = {HOST_TABLE("ref"), CW_KERNEL_LIST_FAST(REF_ENTRY) CW_KERNEL_LIST_REF(REF_ENTRY)};
const cw_kernels cw_kernels_cpu = {HOST_TABLE("cpu"), CW_KERNEL_LIST_FAST(CPU_ENTRY) CW_KERNEL_LIST_REF(REF_ENTRY)};

const cw_kernels *cw_kernels_select(const char *name)
{
    if (!name || strcmp(name, "cpu") == 0) return &cw_kernels_cpu;
    return strcmp(name, "ref") == 0 ? &cw_kernels_ref : NULL;
}
