/* place.c: see place.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall, realpath */
#endif
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

enum { MOST_LINKS = 40, BASE_BYTES = 120 }; /* of a name that a part's name repeats: names end at 255 bytes */

/* ---- names ------------------------------------------------------------------------------------------------------ */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "folder/name"; folder of n bytes, without its last slash */
static char *joined(cw_ctx *ctx, const char *folder, size_t n, const char *name)
{
    char *path = cw_alloc(ctx, (int64_t)(n + strlen(name) + 2), 1);
    if (!path) return NULL;
    memcpy(path, folder, n);
    path[n] = '/';
    memcpy(path + n + 1, name, strlen(name) + 1);
    return path;
}

/* The folder of a path as a string of its own: "/" for "/x", "." for "x". */
static char *folder_of(cw_ctx *ctx, const char *path)
{
    size_t n = (size_t)(base_of(path) - path);
    char *folder = cw_alloc(ctx, (int64_t)n + 2, 1);
    if (!folder) return NULL;
    memcpy(folder, n ? path : ".", n ? n : 1);
    folder[n ? n : 1] = '\0';
    for (size_t end = strlen(folder); end > 1 && folder[end - 1] == '/';) folder[--end] = '\0';
    return folder;
}

/* What a link at `path` (which is freed) says, as a path; NULL with the error recorded. */
static char *through_link(cw_ctx *ctx, char *path)
{
    char said[PATH_MAX];
    ssize_t n = readlink(path, said, sizeof said - 1);
    char *next = NULL;
    if (n < 0)
        cw_fail(ctx, CW_ERR_IO, "the link %s can't be read: %s", path, strerror(errno));
    else {
        said[n] = '\0';
        char *folder = said[0] == '/' ? NULL : folder_of(ctx, path);
        next = folder ? joined(ctx, folder, strlen(folder), said) : cw_strdup(ctx, said);
        cw_free(ctx, folder);
    }
    cw_free(ctx, path);
    return next;
}

static cw_place_kind kind_of(mode_t mode)
{
    return S_ISREG(mode) ? CW_PLACE_FILE : S_ISDIR(mode) ? CW_PLACE_FOLDER : CW_PLACE_OTHER;
}

/* `path` (freed) with its folder spelt absolutely. */
static char *absolute(cw_ctx *ctx, char *path)
{
    char *folder = folder_of(ctx, path), *real = folder ? realpath(folder, NULL) : NULL, *found = NULL;
    if (folder && !real)
        cw_fail(ctx, CW_ERR_IO,
                errno == ENOENT || errno == ENOTDIR ? "is in a folder that doesn't exist: %s; create it first"
                                                    : "is in a folder that can't be used: %s: %s",
                folder, strerror(errno));
    if (real) found = joined(ctx, real, strcmp(real, "/") == 0 ? 0 : strlen(real), base_of(path));
    free(real);
    cw_free(ctx, folder);
    cw_free(ctx, path);
    return found;
}

/* A copy without slashes at the end. */
static char *trimmed(cw_ctx *ctx, const char *path)
{
    char *copy = ctx->status == CW_OK ? cw_strdup(ctx, path) : NULL;
    for (size_t end = copy ? strlen(copy) : 0; end > 1 && copy[end - 1] == '/';) copy[--end] = '\0';
    return copy;
}

char *cw_place_absolute(cw_ctx *ctx, const char *path)
{
    char *copy = trimmed(ctx, path);
    return copy && strcmp(copy, "/") != 0 ? absolute(ctx, copy) : copy;
}

char *cw_place_find(cw_ctx *ctx, cw_place_kind *kind, const char *path)
{
    char *at = trimmed(ctx, path);
    *kind = CW_PLACE_NOTHING;
    for (int links = 0; at; links++) {
        struct stat info;
        if (lstat(at, &info) != 0) {
            if (errno == ENOENT || errno == ENOTDIR) return absolute(ctx, at);
            cw_fail(ctx, CW_ERR_IO, "can't be used: %s (%.200s)", strerror(errno), at);
            break;
        }
        *kind = kind_of(info.st_mode);
        if (!S_ISLNK(info.st_mode)) return *kind == CW_PLACE_FOLDER && strcmp(at, "/") == 0 ? at : absolute(ctx, at);
        *kind = CW_PLACE_NOTHING;
        if (links == MOST_LINKS) {
            cw_fail(ctx, CW_ERR_IO, "can't be used: links lead round in a circle (%.200s)", at);
            break;
        }
        at = through_link(ctx, at);
    }
    cw_free(ctx, at);
    return NULL;
}

/* ---- parts ------------------------------------------------------------------------------------------------------ */

/* A number for this machine and its table of processes (containers have their own): processes of others can't be
 * judged from here. FNV-1a. */
static uint32_t machine(void)
{
    char host[256] = "";
    struct stat space;
    uint32_t hash = 2166136261u;
    gethostname(host, sizeof host - 1);
    for (const char *c = host; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
    if (stat("/proc/self/ns/pid", &space) == 0) hash = (hash ^ (uint32_t)space.st_ino) * 16777619u;
    return hash;
}

/* ".NAME.part-MACHINE-": how the parts beside `target` that this machine makes begin */
static void prefix_of(char prefix[256], const char *target)
{
    const char *base = base_of(target);
    size_t n = strlen(base);
    if (n > BASE_BYTES)
        for (n = BASE_BYTES; n > 1 && ((unsigned char)base[n] & 0xC0) == 0x80;) n--; /* not inside a character */
    snprintf(prefix, 256, ".%.*s.part-%08x-", (int)n, base, (unsigned)machine());
}

/* Whether a process is no more, or, where the system tells (Linux), has ended and its parent hasn't asked for it yet. */
static int is_gone(long process)
{
    char path[64], stat[512];
    if (kill((pid_t)process, 0) != 0) return errno == ESRCH;
    snprintf(path, sizeof path, "/proc/%ld/stat", process); /* number (name) state ... */
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(stat, 1, sizeof stat - 1, f) : 0;
    if (f) fclose(f);
    stat[n] = '\0';
    const char *name_ends = strrchr(stat, ')');
    return name_ends && (strncmp(name_ends, ") Z", 3) == 0 || strncmp(name_ends, ") X", 3) == 0);
}

/* Names "PREFIX<process>-<number>" of a process that is gone. */
static int is_left(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0) return 0;
    char *end = NULL;
    long process = strtol(name + n, &end, 10);
    if (process < 1 || end == name + n || *end != '-' || end[1 + strspn(end + 1, "0123456789")] || !end[1]) return 0;
    return is_gone(process);
}

void cw_place_leftovers(cw_ctx *ctx, const char *target, void (*found)(void *user, const char *path), void *user)
{
    char prefix[256];
    char *folder = ctx->status == CW_OK ? folder_of(ctx, target) : NULL;
    DIR *names = folder ? opendir(folder) : NULL;
    prefix_of(prefix, target);
    for (struct dirent *one; names && (one = readdir(names));) {
        if (!is_left(one->d_name, prefix)) continue;
        char *path = joined(ctx, folder, strcmp(folder, "/") == 0 ? 0 : strlen(folder), one->d_name);
        if (path) found(user, path);
        cw_free(ctx, path);
    }
    if (names) closedir(names);
    cw_free(ctx, folder);
}

static void remove_file(void *unused, const char *path)
{
    (void)unused;
    unlink(path); /* a folder stays */
}

char *cw_place_part(cw_ctx *ctx, const char *target, int make)
{
    static unsigned number; /* of this process; a name that is taken is passed over */
    char prefix[256], name[300];
    struct stat info;
    if (ctx->status != CW_OK) return NULL;
    cw_place_leftovers(ctx, target, remove_file, NULL);
    prefix_of(prefix, target);
    char *folder = folder_of(ctx, target), *part = NULL;
    mode_t mode = stat(target, &info) == 0 ? 0600 : 0666;
    while (folder && ctx->status == CW_OK) {
        snprintf(name, sizeof name, "%s%ld-%u", prefix, (long)getpid(), number++);
        part = joined(ctx, folder, strcmp(folder, "/") == 0 ? 0 : strlen(folder), name);
        if (!part) break;
        if (!make && lstat(part, &info) != 0) break;
        int fd = make ? open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode) : -1;
        if (fd >= 0) {
            close(fd);
            break;
        }
        if (make && errno != EEXIST)
            cw_fail(ctx, CW_ERR_IO, "can't be written: the folder %s is read-only or full (%s)", folder,
                    strerror(errno));
        cw_free(ctx, part);
        part = NULL;
    }
    cw_free(ctx, folder);
    return part;
}

/* ---- flushing and renaming -------------------------------------------------------------------------------------- */

/* Systems that can't flush such a thing say so by these; then there is nothing to do. */
static int can_not(int why) { return why == EINVAL || why == ENOTSUP || why == ENOSYS || why == EROFS; }

cw_status cw_place_sync(cw_ctx *ctx, const char *path)
{
    if (ctx->status != CW_OK) return ctx->status;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int folder = fd >= 0 && fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
    if (fd < 0 ? errno != EACCES : fsync(fd) != 0 && !can_not(errno) && !(folder && errno == EACCES))
        cw_fail(ctx, CW_ERR_IO, "could not be written to the disk: %s (%.200s)", strerror(errno), path);
    if (fd >= 0) close(fd);
    return ctx->status;
}

static void sync_folder_of(cw_ctx *ctx, const char *path)
{
    char *folder = folder_of(ctx, path);
    if (folder) cw_place_sync(ctx, folder);
    cw_free(ctx, folder);
}

/* Only if nothing is at the target: a second name, then the first one goes. File systems without second names: a
 * look, then the rename. */
static int rename_new(const char *part, const char *target)
{
    struct stat info;
    if (link(part, target) == 0) return unlink(part);
    if (errno == EEXIST) return -1;
    if (lstat(target, &info) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(part, target);
}

cw_status cw_place_commit(cw_ctx *ctx, const char *part, const char *target, int replace)
{
    if (ctx->status != CW_OK) return ctx->status;
    struct stat old;
    if (replace && stat(target, &old) == 0) {
        if (!S_ISREG(old.st_mode)) return cw_fail(ctx, CW_ERR_IO, "can't be replaced: %.300s is no file", target);
        /* the owner first: giving a file away takes set-id bits from it */
        if (chown(part, old.st_uid, old.st_gid) != 0) old.st_mode &= 0777;
        if (chmod(part, old.st_mode & 07777) != 0)
            return cw_fail(ctx, CW_ERR_IO, "can't get the old file's mode: %s", strerror(errno));
    }
    if (cw_place_sync(ctx, part) != CW_OK) return ctx->status;
    if ((replace ? rename(part, target) : rename_new(part, target)) != 0)
        return errno == EEXIST && !replace
                   ? cw_fail(ctx, CW_ERR_IO, "exists by now: another process made %.300s", target)
                   : cw_fail(ctx, CW_ERR_IO, "can't be renamed to %.300s: %s", target, strerror(errno));
    sync_folder_of(ctx, target);
    return ctx->status;
}

int cw_place_swap(cw_ctx *ctx, const char *a, const char *b)
{
    int done = -1;
    if (ctx->status != CW_OK) return 0;
    errno = ENOSYS;
#if defined(__linux__) && defined(SYS_renameat2)
    done = (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2u); /* 2: RENAME_EXCHANGE */
#elif defined(__APPLE__) && defined(RENAME_SWAP)
    done = renamex_np(a, b, RENAME_SWAP);
#endif
    if (done != 0 && !can_not(errno)) cw_fail(ctx, CW_ERR_IO, "can't be replaced: %s", strerror(errno));
    if (done == 0) sync_folder_of(ctx, b);
    return done == 0 && ctx->status == CW_OK;
}
