// Calls that glibc declares only with _GNU_SOURCE, which Swift's import does not define.
#pragma once
#include <stdint.h>
#include <sys/types.h>

/// copy_file_range(2) without flags.
ssize_t vp_copy_file_range(int source, off_t *source_offset, int target, off_t *target_offset, size_t length);

/// Asks the kernel to start writing a range to disk, without waiting, so that the final fsync has less to do.
void vp_begin_writeback(int descriptor, off_t offset, off_t length);

/// Lets malloc keep large freed blocks for reuse. By default it returns each to the kernel, which then clears every
/// page of the next one: a quarter of a fast decoder's time.
void vp_keep_freed_memory(void);

/// Whether this process is the child of a fork that happened after this code was loaded.
int vp_is_forked(void);

/// OpenBLAS's name for the kernels that this processor's vector instructions can run, for $OPENBLAS_CORETYPE; NULL where
/// it has none of AVX2 and AVX-512, or is no x86.
const char *vp_openblas_core(void);

/// renameat2(2) with RENAME_NOREPLACE: EEXIST where the new name is taken, EINVAL or ENOSYS where the file system or
/// the kernel does not support it.
int vp_rename_no_replace(const char *from, const char *to);

/// Locks a range of an open file against all other open file descriptions, until this one is closed or unlocks it. An
/// exclusive lock needs a file opened for writing; `shared` locks exclude only exclusive ones. Length 0 means up to the
/// end. Returns 0 on success; else -1, with EAGAIN or EACCES in errno if another holds a lock.
int vp_lock(int descriptor, int shared, int64_t start, int64_t length);

/// Releases this descriptor's locks in a range.
int vp_unlock(int descriptor, int64_t start, int64_t length);

enum { VP_LOCK_NONE, VP_LOCK_SHARED, VP_LOCK_EXCLUSIVE, VP_LOCK_UNKNOWN };

/// The lock of another descriptor in a range. VP_LOCK_NONE also where the file system has no locks, VP_LOCK_UNKNOWN
/// where the system does not answer. A shared lock may hide another lock.
int vp_lock_of_others(int descriptor, int64_t start, int64_t length);

/// Whether this process may rename over a file, or remove it: 0 if it may. 1: only the owner may (sticky folder). 2:
/// the file or the folder is immutable or append-only (chattr +i, +a). 3: it is a mount point. -1: unknown, see errno.
int vp_keeps_its_name(const char *path, const char *folder);

/// The creation time of a file; both zero if the file system records none. Returns 0 on success.
int vp_birth(const char *path, int follow_links, int64_t *seconds, uint32_t *nanoseconds);

/// Copies extended attributes, including access control lists, to an open file, and removes those that the source
/// lacks. Returns 0 on success, and where the file system has none.
int vp_copy_attributes(const char *path, int to);

/// The first index of some bytes in others, in linear time (memmem); -1 where there is none.
ssize_t vp_find(const void *bytes, size_t count, const void *sought, size_t sought_count);
