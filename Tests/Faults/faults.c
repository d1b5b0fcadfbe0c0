// Loaded before libc (LD_PRELOAD). Counts the calls that change or look at files below $FAULT_ROOT, and injects the
// fault $FAULT_MODE into one of them:
//
//   eio, enospc, eintr, eacces, emfile, erofs
//                 the call fails with that errno; nothing is done
//   eio-on        this and every later call fail with EIO: a lost disk
//   short         a read, a write or a copy processes half of its bytes, and returns that number
//   kill-before   SIGKILL; nothing is done
//   kill-half     SIGKILL after half of a write's bytes (as kill-before for other calls)
//   kill-after    SIGKILL when the call is done
//   int, term, hup   the process sends itself that signal, waits $FAULT_DELAY microseconds for its effect, and
//                 continues
//   stop          SIGSTOP: another process inspects, acts, and sends SIGCONT
//   delay         the call first waits for $FAULT_DELAY microseconds; delay-on: every later call too
//
// $FAULT_ROOT  a folder, or a file
// $FAULT_CALLS what is counted, separated by commas: "changes", "looks", or names of calls as in the log.
//              Default: changes
//                changes: write truncate allocate fsync writeback rename exchange link unlink create mkdir chmod chown
//                         setxattr utimes
//                looks:   open read stat lstat fstat access opendir readdir readlink realpath mmap lock getxattr statfs
// $FAULT_AT    the number of the call, from 1; 0 or unset for none
// $FAULT_LOG   a file that gets one line per call: "name path", "rename from to", and for a write "write path offset
//              length", so that the order of events can be checked
// $FAULT_DATA  a file that gets the bytes of every write, in the order of the log, for replay
// $FAULT_KEEP  a folder on the same disk that gets a link to every file that is removed or replaced, named by
//              its inode number, so that the same file can be restored
//
// The numbers are those of one thread's calls. With several threads, calls are numbered as they occur. The calls are
// implemented in changes.c and looks.c.

#include "Faults.h"
#include "plan.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *root;
static size_t root_length;
static const char *counted = "changes";
static long fault_at, calls;
static const char *mode = "";
static const char *keep;
static unsigned delay;
static int log_descriptor = -1, data_descriptor = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static long number(const char *name) {
  const char *text = getenv(name);
  return text ? atol(text) : 0;
}

static int output(const char *name) {
  const char *path = getenv(name);
  return path ? REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
}

__attribute__((constructor)) static void begin(void) {
  root = getenv("FAULT_ROOT");
  root_length = root ? strlen(root) : 0;
  if (getenv("FAULT_CALLS")) counted = getenv("FAULT_CALLS");
  if (getenv("FAULT_MODE")) mode = getenv("FAULT_MODE");
  keep = getenv("FAULT_KEEP");
  fault_at = number("FAULT_AT");
  delay = number("FAULT_DELAY");
  log_descriptor = output("FAULT_LOG");
  data_descriptor = output("FAULT_DATA");
}

// MARK: Which calls

static int lists(const char *name) {
  size_t length = strlen(name);
  for (const char *at = counted; (at = strstr(at, name)); at += length) {
    if ((at == counted || at[-1] == ',') && (at[length] == ',' || at[length] == 0)) return 1;
  }
  return 0;
}

int fault_counts(enum kind kind, const char *name) {
  return root && (lists(kind == CHANGE ? "changes" : "looks") || lists(name));
}

static int is_below(const char *path) {
  return root && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

/// The path of an open descriptor. Does not use libc's readlink(2), which is counted.
static int target_of(int descriptor, char path[PATH_MAX]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  long n = syscall(SYS_readlink, link, path, PATH_MAX - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return 1;
}

int fault_path_of(int descriptor, char path[PATH_MAX]) {
  int code = errno, found = target_of(descriptor, path) && is_below(path);
  errno = code;
  return found;
}

int fault_absolute(int folder, const char *name, char path[PATH_MAX]) {
  char parent[PATH_MAX], joined[PATH_MAX], at[PATH_MAX];
  if (!root) return 0;
  if (name[0] == '/' || folder == AT_FDCWD) {
    snprintf(joined, sizeof joined, "%s", name);
  } else {
    if (!target_of(folder, at)) return 0;
    snprintf(joined, sizeof joined, "%s/%s", at, name);
  }
  size_t length = strlen(joined);
  while (length > 1 && joined[length - 1] == '/') joined[--length] = 0;
  char *slash = strrchr(joined, '/');
  const char *last = slash ? slash + 1 : joined;
  if (slash) *slash = 0;
  int code = errno;
  int found = REAL(realpath)(slash ? (*joined ? joined : "/") : ".", parent) != NULL;
  errno = code;
  if (!found) return 0;
  snprintf(path, PATH_MAX, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, last);
  return is_below(path);
}

// MARK: What becomes of them

static const struct {
  const char *mode;
  int code;
} failures[] = {{"eio", EIO},       {"eio-on", EIO},    {"enospc", ENOSPC},
                {"eintr", EINTR},   {"eacces", EACCES}, {"emfile", EMFILE},
                {"erofs", EROFS}};

static const struct {
  const char *mode;
  int number;
} signals[] = {{"int", SIGINT}, {"term", SIGTERM}, {"hup", SIGHUP}, {"stop", SIGSTOP}};

static int failure(void) {
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
    if (strcmp(mode, failures[i].mode) == 0) return failures[i].code;
  }
  return 0;
}

static int is_mode(const char *name) { return strcmp(mode, name) == 0; }

int fault_event(const char *format, ...) {
  pthread_mutex_lock(&mutex);
  long call = ++calls;
  char line[3 * PATH_MAX];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  line[n] = '\n';
  int lasts = is_mode("eio-on") || is_mode("delay-on");
  int is_hit = fault_at > 0 && (call == fault_at || (lasts && call > fault_at)), code = is_hit ? failure() : 0;
  if (log_descriptor >= 0 && !code && REAL(write)(log_descriptor, line, n + 1) < 0) abort();
  pthread_mutex_unlock(&mutex);
  if (!is_hit) return GO_ON;
  if (code) {
    errno = code;
    return FAIL;
  }
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    if (is_mode(signals[i].mode)) {
      kill(getpid(), signals[i].number);
      if (signals[i].number != SIGSTOP) usleep(delay);
      return GO_ON;
    }
  }
  if (is_mode("delay") || is_mode("delay-on")) {
    usleep(delay);
    return GO_ON;
  }
  if (is_mode("short")) return SHORT;
  if (is_mode("kill-after")) return AFTER;
  if (is_mode("kill-half")) return HALF;
  raise(SIGKILL);
  return FAIL;
}

void fault_end(int decision) {
  if (decision == AFTER || decision == HALF) raise(SIGKILL);
}

void fault_keep(const void *bytes, size_t length) {
  if (data_descriptor >= 0 && REAL(write)(data_descriptor, bytes, length) < 0) abort();
}

void fault_keep_file(const char *path) {
  struct stat info;
  char kept[PATH_MAX];
  int code = errno;
  if (keep && REAL(fstatat)(AT_FDCWD, path, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode)) {
    snprintf(kept, sizeof kept, "%s/%lu", keep, (unsigned long)info.st_ino);
    REAL(linkat)(AT_FDCWD, path, AT_FDCWD, kept, 0);
  }
  errno = code;
}
