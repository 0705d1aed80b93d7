/* A disk that misbehaves below one folder, for the programs that are started with this library in
 * LD_PRELOAD. What it counts and does is shared by all their processes.
 *
 *   FAULTY_ROOT   the folder, an absolute path without links
 *   FAULTY_STATE  a file of sizeof(struct state) zero bytes, which the programs share
 *   FAULTY_MODE   count            only counts
 *                 kill N [all]     in the middle of the Nth operation the process is killed
 *                                  (SIGKILL); with `all` also the first one that was started
 *                 full N           after N bytes nothing more can be written (ENOSPC)
 *                 error N          every Nth operation fails (EIO), and does nothing
 *                 slow N           every operation takes N microseconds longer
 *
 * An operation makes, writes, renames, links, removes, cuts or flushes a file or folder there.
 *
 *   cc -shared -fPIC -O1 -o faulty_disk.so faulty_disk.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct state {
    long operations, bytes, faults, first;
    char what[32];
    char where[480];
};

static struct state *shared;
static char root[PATH_MAX];
static size_t length;
static char mode[16];
static long number;
static int everyone;

__attribute__((constructor)) static void begin(void) {
    const char *place = getenv("FAULTY_STATE"), *below = getenv("FAULTY_ROOT");
    const char *asked = getenv("FAULTY_MODE");
    char second[16] = "";
    int file;
    if (!place || !below || !asked || strlen(below) >= sizeof root) return;
    if (sscanf(asked, "%15s %ld %15s", mode, &number, second) < 1) return;
    everyone = !strcmp(second, "all");
    strcpy(root, below);
    length = strlen(root);
    file = open(place, O_RDWR);
    if (file < 0) return;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED) shared = NULL;
    if (shared) __sync_bool_compare_and_swap(&shared->first, 0, (long)getpid());
}

static int below(const char *path) {
    return !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

/* The absolute path of a name beside an open folder; 0 where it is not below the root. */
static int place_of(int folder, const char *name, char *path) {
    char base[PATH_MAX];
    if (!shared || !name) return 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return below(path);
    }
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        char link[64];
        ssize_t size;
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        size = readlink(link, base, sizeof base - 1);
        if (size < 0) return 0;
        base[size] = 0;
    }
    if (strlen(base) + strlen(name) + 2 > PATH_MAX) return 0;
    strcpy(path, base);
    strcat(path, "/");
    strcat(path, name);
    return below(path);
}

static int place_of_open(int file, char *path) {
    char link[64];
    ssize_t size;
    if (!shared || file < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    size = readlink(link, path, PATH_MAX - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return below(path);
}

static void note(const char *what, const char *where) {
    snprintf(shared->what, sizeof shared->what, "%s", what);
    snprintf(shared->where, sizeof shared->where, "%s", where + length);
}

static void die(const char *what, const char *where) {
    long first = shared->first;
    note(what, where);
    __sync_add_and_fetch(&shared->faults, 1);
    if (everyone && first && first != (long)getpid()) kill((pid_t)first, SIGKILL);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts an operation. 0: do it; 1: do half of it, then `die`; else the error to give. */
static int meet(const char *what, const char *where) {
    long at = __sync_add_and_fetch(&shared->operations, 1);
    if (!strcmp(mode, "kill")) return at == number;
    if (!strcmp(mode, "slow")) usleep((useconds_t)number);
    if (!strcmp(mode, "error") && at % number == 0) {
        note(what, where);
        __sync_add_and_fetch(&shared->faults, 1);
        return EIO;
    }
    return 0;
}

static int is_full(const char *what, const char *where) {
    if (strcmp(mode, "full") || shared->bytes < number) return 0;
    note(what, where);
    __sync_add_and_fetch(&shared->faults, 1);
    errno = ENOSPC;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* How many of so many bytes may be written: fewer on a disk that fills up, half before a kill. */
#define WRITES(file, size, call_with, ...)                                                        \
    char path[PATH_MAX];                                                                          \
    ssize_t done;                                                                                 \
    size_t most = (size);                                                                         \
    int fate;                                                                                     \
    if (!place_of_open(file, path)) return call_with(most);                                       \
    fate = meet("write", path);                                                                   \
    if (fate > 1) { errno = fate; return -1; }                                                    \
    if (most && is_full("write", path)) return -1;                                                \
    if (!strcmp(mode, "full") && most > (size_t)(number - shared->bytes))                         \
        most = (size_t)(number - shared->bytes);                                                  \
    if (fate == 1) { if (most / 2) call_with(most / 2); die("write", path); }                     \
    done = call_with(most);                                                                       \
    if (done > 0) __sync_add_and_fetch(&shared->bytes, (long)done);                               \
    return done;

ssize_t write(int file, const void *data, size_t size) {
#define CALL(n) REAL(write)(file, data, n)
    WRITES(file, size, CALL)
#undef CALL
}
ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
#define CALL(n) REAL(pwrite)(file, data, n, at)
    WRITES(file, size, CALL)
#undef CALL
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
#define CALL(n) REAL(pwrite64)(file, data, n, at)
    WRITES(file, size, CALL)
#undef CALL
}
ssize_t sendfile(int file, int from, off_t *at, size_t size) {
#define CALL(n) REAL(sendfile)(file, from, at, n)
    WRITES(file, size, CALL)
#undef CALL
}
ssize_t sendfile64(int file, int from, off64_t *at, size_t size) {
#define CALL(n) REAL(sendfile64)(file, from, at, n)
    WRITES(file, size, CALL)
#undef CALL
}
ssize_t copy_file_range(int from, off64_t *a, int file, off64_t *b, size_t size, unsigned flags) {
#define CALL(n) REAL(copy_file_range)(from, a, file, b, n, flags)
    WRITES(file, size, CALL)
#undef CALL
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    ssize_t done = 0;
    if (!place_of_open(file, path)) return REAL(writev)(file, parts, count);
    for (int i = 0; i < count; i++) {
        ssize_t one = write(file, parts[i].iov_base, parts[i].iov_len);
        if (one < 0) return done ? done : -1;
        done += one;
        if ((size_t)one < parts[i].iov_len) break;
    }
    return done;
}

/* An operation that happens or does not: killed before it where it is the Nth, an odd one after. */
#define HAPPENS(what, fails_when_full, call)                                                      \
    {                                                                                             \
        int fate = meet(what, path);                                                              \
        if (fate > 1) { errno = fate; return -1; }                                                \
        if ((fails_when_full) && is_full(what, path)) return -1;                                  \
        if (fate == 1) { if (number % 2) (void)call; die(what, path); }                           \
        return call;                                                                              \
    }

#define OF_FILE(name, what, full)                                                                 \
    int name(int file) {                                                                          \
        char path[PATH_MAX];                                                                      \
        if (!place_of_open(file, path)) return REAL(name)(file);                                  \
        HAPPENS(what, full, REAL(name)(file))                                                     \
    }
OF_FILE(fsync, "flush", 0)
OF_FILE(fdatasync, "flush", 0)

int ftruncate(int file, off_t size) {
    char path[PATH_MAX];
    if (!place_of_open(file, path)) return REAL(ftruncate)(file, size);
    HAPPENS("cut", 0, REAL(ftruncate)(file, size))
}
int ftruncate64(int file, off64_t size) {
    char path[PATH_MAX];
    if (!place_of_open(file, path)) return REAL(ftruncate64)(file, size);
    HAPPENS("cut", 0, REAL(ftruncate64)(file, size))
}
int truncate(const char *name, off_t size) {
    char path[PATH_MAX];
    if (!place_of(AT_FDCWD, name, path)) return REAL(truncate)(name, size);
    HAPPENS("cut", 0, REAL(truncate)(name, size))
}
int truncate64(const char *name, off64_t size) {
    char path[PATH_MAX];
    if (!place_of(AT_FDCWD, name, path)) return REAL(truncate64)(name, size);
    HAPPENS("cut", 0, REAL(truncate64)(name, size))
}
int rename(const char *old, const char *new) {
    char path[PATH_MAX];
    if (!place_of(AT_FDCWD, new, path)) return REAL(rename)(old, new);
    HAPPENS("rename", 0, REAL(rename)(old, new))
}
int renameat(int from, const char *old, int to, const char *new) {
    char path[PATH_MAX];
    if (!place_of(to, new, path)) return REAL(renameat)(from, old, to, new);
    HAPPENS("rename", 0, REAL(renameat)(from, old, to, new))
}
int link(const char *old, const char *new) {
    char path[PATH_MAX];
    if (!place_of(AT_FDCWD, new, path)) return REAL(link)(old, new);
    HAPPENS("link", 1, REAL(link)(old, new))
}
int linkat(int from, const char *old, int to, const char *new, int flags) {
    char path[PATH_MAX];
    if (!place_of(to, new, path)) return REAL(linkat)(from, old, to, new, flags);
    HAPPENS("link", 1, REAL(linkat)(from, old, to, new, flags))
}
int unlink(const char *name) {
    char path[PATH_MAX];
    if (!place_of(AT_FDCWD, name, path)) return REAL(unlink)(name);
    HAPPENS("remove", 0, REAL(unlink)(name))
}
int unlinkat(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    if (!place_of(folder, name, path)) return REAL(unlinkat)(folder, name, flags);
    HAPPENS("remove", 0, REAL(unlinkat)(folder, name, flags))
}
int rmdir(const char *name) {
    char path[PATH_MAX];
    if (!place_of(AT_FDCWD, name, path)) return REAL(rmdir)(name);
    HAPPENS("remove", 0, REAL(rmdir)(name))
}
int mkdir(const char *name, mode_t rights) {
    char path[PATH_MAX];
    if (!place_of(AT_FDCWD, name, path)) return REAL(mkdir)(name, rights);
    HAPPENS("folder", 1, REAL(mkdir)(name, rights))
}
int mkdirat(int folder, const char *name, mode_t rights) {
    char path[PATH_MAX];
    if (!place_of(folder, name, path)) return REAL(mkdirat)(folder, name, rights);
    HAPPENS("folder", 1, REAL(mkdirat)(folder, name, rights))
}

#define OPENS(folder, call)                                                                       \
    char path[PATH_MAX];                                                                          \
    mode_t rights = 0;                                                                            \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                          \
        va_list more;                                                                             \
        va_start(more, flags);                                                                    \
        rights = va_arg(more, mode_t);                                                            \
        va_end(more);                                                                             \
    }                                                                                             \
    if (!(flags & (O_CREAT | O_TRUNC)) || !place_of(folder, name, path)) return call;             \
    HAPPENS("open", access(path, F_OK), call)

int open(const char *name, int flags, ...) {
    OPENS(AT_FDCWD, REAL(open)(name, flags, rights))
}
int open64(const char *name, int flags, ...) {
    OPENS(AT_FDCWD, REAL(open64)(name, flags, rights))
}
int openat(int folder, const char *name, int flags, ...) {
    OPENS(folder, REAL(openat)(folder, name, flags, rights))
}
int openat64(int folder, const char *name, int flags, ...) {
    OPENS(folder, REAL(openat64)(folder, name, flags, rights))
}
