/* mapped.c: see mapped.h. */
#include "io_util.h"

#include "mapped.h"

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#endif

cw_status cw_mapped_open(cw_ctx *ctx, cw_mapped *file, const char *path)
{
    *file = (cw_mapped){0};
#if defined(_WIN32)
    file->loaded = io_read_all(ctx, path, INT64_MAX / 8, &file->size);
    file->bytes = (const unsigned char *)file->loaded;
#else
    file->size = io_file_size(ctx, path);
    if (file->size <= 0) return ctx->status; /* an empty file can't be mapped; who reads it says what is wrong */
    if ((uint64_t)file->size > (uint64_t)SIZE_MAX)
        return cw_fail(ctx, CW_ERR_IO, "'%s' is too large for this machine", path);
    int fd = open(path, O_RDONLY);
    struct stat now;
    if (fd < 0 || fstat(fd, &now) != 0 || now.st_size != (off_t)file->size) {
        cw_fail(ctx, CW_ERR_IO, "'%s' could not be read: %s", path,
                fd < 0 ? strerror(errno) : "it changed while being opened");
    } else {
        void *map = mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            cw_fail(ctx, CW_ERR_IO, "'%s' could not be mapped into memory: %s", path, strerror(errno));
        } else {
            file->bytes = map;
            file->mapped = 1;
        }
    }
    if (fd >= 0) close(fd);
#endif
    return ctx->status;
}

void cw_mapped_close(cw_ctx *ctx, cw_mapped *file)
{
#if !defined(_WIN32)
    if (file->mapped) munmap((void *)(uintptr_t)file->bytes, (size_t)file->size);
#endif
    cw_free(ctx, file->loaded);
    *file = (cw_mapped){0};
}
