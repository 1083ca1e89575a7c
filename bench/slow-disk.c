/* Preloaded into a process, makes each fsync take as long as on a slow disk, after the real one.
 * SLOW_FSYNC_US: microseconds of one flush of the disk. SLOW_FSYNC_GROUPS=1: a flush serves all who asked before it began, as a commit of ext4's
 * journal does; who asks while one is under way waits for the next. Otherwise each fsync is a flush of its own, one after the other. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t flushed = PTHREAD_COND_INITIALIZER;
static unsigned long begun, finished;

static void flush_for(long us) {
  struct timespec left = {us / 1000000, (us % 1000000) * 1000};
  while (nanosleep(&left, &left) != 0) {
  }
}

static void flush(void) {
  const char *us = getenv("SLOW_FSYNC_US");
  const char *groups = getenv("SLOW_FSYNC_GROUPS");
  if (us == NULL) return;
  pthread_mutex_lock(&lock);
  if (groups == NULL) {
    flush_for(atol(us));
  } else {
    unsigned long mine = begun + 1;
    while (finished < mine) {
      if (begun == finished) {
        begun += 1;
        pthread_mutex_unlock(&lock);
        flush_for(atol(us));
        pthread_mutex_lock(&lock);
        finished = begun;
        pthread_cond_broadcast(&flushed);
      } else {
        pthread_cond_wait(&flushed, &lock);
      }
    }
  }
  pthread_mutex_unlock(&lock);
}

int fsync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  int result = real(fd);
  if (result == 0) flush();
  return result;
}

int fdatasync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  int result = real(fd);
  if (result == 0) flush();
  return result;
}
