/* Loaded into `exasol` alone (LD_PRELOAD): counts what it changes below FAULT_ROOT, and at the n-th
 * change dies, fails, or sees another clock.
 *
 *   FAULT_ROOT   only paths below it count
 *   FAULT        count | kill:N | torn:N | error:ERRNO:N | error:ERRNO:N+ | lock:ERRNO | clock:N:SECONDS | stall
 *   FAULT_TRACE  a file that gets a line for each change
 *
 * kill: SIGKILL instead of the N-th change; torn: a write leaves its first half, then SIGKILL; error: the N-th change (N+:
 * and all after it) fails with that number; lock: so does taking the lock; clock: from the N-th change on the time of day
 * is that much later; stall: opening anything never ends, as on a network file system whose server is gone. Other programs inherit the variables, and this file does nothing in them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum fault { NONE, COUNT, KILL, TORN, ERROR, LOCK, CLOCK, STALL };
static enum fault fault;
static long at, number, shift;
static int ever_after;
static atomic_long changes;
static char root[PATH_MAX];
static size_t root_length;
static int trace = -1;

__attribute__((constructor)) static void begin(void) {
  char program[PATH_MAX] = "";
  const char *told = getenv("FAULT"), *below = getenv("FAULT_ROOT"), *to = getenv("FAULT_TRACE");
  if (!told || !below || readlink("/proc/self/exe", program, sizeof program - 1) < 0) return;
  const char *name = strrchr(program, '/');
  if (!name || strcmp(name, "/exasol") != 0) return;
  root_length = (size_t)snprintf(root, sizeof root, "%s", below);
  if (to) trace = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  char plus = 0;
  if (!strcmp(told, "count")) fault = COUNT;
  else if (sscanf(told, "kill:%ld", &at) == 1) fault = KILL;
  else if (sscanf(told, "torn:%ld", &at) == 1) fault = TORN;
  else if (sscanf(told, "error:%ld:%ld%c", &number, &at, &plus) >= 2) fault = ERROR, ever_after = plus == '+';
  else if (sscanf(told, "lock:%ld", &number) == 1) fault = LOCK;
  else if (sscanf(told, "clock:%ld:%ld", &at, &shift) == 2) fault = CLOCK;
  else if (!strcmp(told, "stall")) fault = STALL;
  else abort();
}

static int is_below(const char *path);

static void stall(const char *path) {
  while (fault == STALL && is_below(path)) pause();
}

static int is_below(const char *path) {
  char full[PATH_MAX + 256];
  if (path[0] != '/') {
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here)) return 0;
    snprintf(full, sizeof full, "%s/%s", here, path);
    path = full;
  }
  return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static int name_of(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

/* 0: go on; else the errno with which the call fails. Does not return if it is to die here. */
static int change(const char *what, const char *path, int *half) {
  if (fault == NONE || !is_below(path)) return 0;
  long now = atomic_fetch_add(&changes, 1) + 1;
  if (trace >= 0) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", now, what, path + root_length);
    syscall(SYS_write, trace, line, length);
  }
  if (fault == KILL && now == at) syscall(SYS_kill, getpid(), SIGKILL);
  if (fault == TORN && now >= at && half) { *half = 1; return 0; }
  if (fault == ERROR && (now == at || (ever_after && now > at))) return (int)number;
  return 0;
}

static int change_at(const char *what, int dir, const char *path) {
  char folder[PATH_MAX], full[2 * PATH_MAX];
  if (path[0] == '/' || dir == AT_FDCWD) return change(what, path, NULL);
  if (!name_of(dir, folder, sizeof folder)) return 0;
  snprintf(full, sizeof full, "%s/%s", folder, path);
  return change(what, full, NULL);
}

static int change_fd(const char *what, int fd, int *half) {
  char path[PATH_MAX];
  if (fault == NONE || !name_of(fd, path, sizeof path)) return 0;
  return change(what, path, half);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF(call) do { int failed = (call); if (failed) { errno = failed; return -1; } } while (0)

#define OPEN(name)                                                                   \
  int name(const char *path, int flags, ...) {                                       \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    stall(path);                                                                     \
    if (flags & (O_CREAT | O_TRUNC)) FAIL_IF(change("open", path, NULL));            \
    return REAL(name)(path, flags, mode);                                            \
  }
#define OPENAT(name)                                                                 \
  int name(int dir, const char *path, int flags, ...) {                              \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    if (flags & (O_CREAT | O_TRUNC)) FAIL_IF(change_at("open", dir, path));          \
    return REAL(name)(dir, path, flags, mode);                                       \
  }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

#define WRITE(name, parameters, half_call, whole_call)                               \
  ssize_t name parameters {                                                          \
    int half = 0;                                                                    \
    FAIL_IF(change_fd("write", fd, &half));                                          \
    if (half) { if (length > 1) { ssize_t done = half_call; (void)done; } syscall(SYS_kill, getpid(), SIGKILL); } \
    return whole_call;                                                               \
  }
WRITE(write, (int fd, const void *data, size_t length), REAL(write)(fd, data, length / 2), REAL(write)(fd, data, length))
WRITE(pwrite, (int fd, const void *data, size_t length, off_t place), REAL(pwrite)(fd, data, length / 2, place),
      REAL(pwrite)(fd, data, length, place))
WRITE(pwrite64, (int fd, const void *data, size_t length, off64_t place), REAL(pwrite64)(fd, data, length / 2, place),
      REAL(pwrite64)(fd, data, length, place))

int rename(const char *from, const char *to) { FAIL_IF(change("rename", to, NULL)); return REAL(rename)(from, to); }
int unlink(const char *path) { FAIL_IF(change("unlink", path, NULL)); return REAL(unlink)(path); }
int rmdir(const char *path) { FAIL_IF(change("rmdir", path, NULL)); return REAL(rmdir)(path); }
int mkdir(const char *path, mode_t mode) { FAIL_IF(change("mkdir", path, NULL)); return REAL(mkdir)(path, mode); }
int chmod(const char *path, mode_t mode) { FAIL_IF(change("chmod", path, NULL)); return REAL(chmod)(path, mode); }
int unlinkat(int dir, const char *path, int flags) {
  FAIL_IF(change_at("unlink", dir, path));
  return REAL(unlinkat)(dir, path, flags);
}
int fchmod(int fd, mode_t mode) { FAIL_IF(change_fd("chmod", fd, NULL)); return REAL(fchmod)(fd, mode); }
int fsync(int fd) { FAIL_IF(change_fd("fsync", fd, NULL)); return REAL(fsync)(fd); }
int fdatasync(int fd) { FAIL_IF(change_fd("fsync", fd, NULL)); return REAL(fdatasync)(fd); }
int ftruncate64(int fd, off64_t length) { FAIL_IF(change_fd("truncate", fd, NULL)); return REAL(ftruncate64)(fd, length); }

#define FCNTL(name)                                                                  \
  int name(int fd, int command, ...) {                                               \
    va_list more; va_start(more, command); void *argument = va_arg(more, void *); va_end(more); \
    if (fault == LOCK && (command == F_OFD_SETLK || command == F_OFD_GETLK)) FAIL_IF((int)number); \
    return REAL(name)(fd, command, argument);                                        \
  }
FCNTL(fcntl) FCNTL(fcntl64)

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = REAL(clock_gettime)(clock, time);
  if (!result && fault == CLOCK && clock == CLOCK_REALTIME && atomic_load(&changes) >= at) time->tv_sec += shift;
  return result;
}
