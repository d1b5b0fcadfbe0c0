// Calls that glibc declares only for _GNU_SOURCE, which Swift's import of it does not define.
#pragma once
#include <stdint.h>
#include <sys/types.h>

/// copy_file_range(2) without flags.
ssize_t vp_copy_file_range(int source, off_t *source_offset, int target, off_t *target_offset, size_t length);

/// Asks the kernel to begin writing a range to the disk, without waiting: the fsync at the end then has less to do.
void vp_begin_writeback(int descriptor, off_t offset, off_t length);

/// Lets malloc keep large freed blocks for the next piece of work. By default it gives each back to the kernel, which
/// then clears every page of the next one: a quarter of the time of a fast decoder.
void vp_keep_freed_memory(void);

/// renameat2(2) with RENAME_NOREPLACE: EEXIST where the new name is taken, EINVAL or ENOSYS where the file system or the
/// kernel cannot.
int vp_rename_no_replace(const char *from, const char *to);

/// Locks a range of an open file against every other opening of it, until this one is closed or unlocks it: against all
/// locks where the file is open for writing, `shared` against those that are not shared. A length of 0 is up to any end.
/// 0 if it could; else -1, and errno is EAGAIN or EACCES where another holds it.
int vp_lock(int descriptor, int shared, int64_t start, int64_t length);

/// Gives back what this opening holds of a range.
int vp_unlock(int descriptor, int64_t start, int64_t length);

enum { VP_LOCK_NONE, VP_LOCK_SHARED, VP_LOCK_EXCLUSIVE, VP_LOCK_UNKNOWN };

/// Which lock another opening of the file holds in a range: VP_LOCK_NONE also where the file system has no locks,
/// VP_LOCK_UNKNOWN where the system does not say. A shared one may hide another behind it.
int vp_lock_of_others(int descriptor, int64_t start, int64_t length);

/// Whether the name of a file may be given to another, or taken away, by this process: 0 where it may. 1: by the folder's
/// rule (sticky) only the owner may. 2: the file or the folder is marked as one that stays (chattr +i, +a). 3: something
/// is mounted there. -1: the system does not say, by errno.
int vp_keeps_its_name(const char *path, const char *folder);

/// When the file was made, by the file system's own account; both zero where it keeps none. 0 if it could.
int vp_birth(const char *path, int follow_links, int64_t *seconds, uint32_t *nanoseconds);

/// Gives an open file the extended attributes of another, access control lists among them, and takes away those that the
/// other has not. 0 if it could; also where the file system has none.
int vp_copy_attributes(const char *path, int to);

/// Where some bytes begin first in others, in linear time (memmem); -1 where they do not.
ssize_t vp_find(const void *bytes, size_t count, const void *sought, size_t sought_count);
