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

/// Locks a whole file that is open for writing, against every other opening of it, until this one is closed.
/// 0 if it could; else -1, and errno is EAGAIN or EACCES where another holds it.
int vp_lock(int descriptor);

/// 0 if no other opening of the file holds such a lock, or the file system has no locks; 1 if one does, or the system
/// does not say.
int vp_is_locked(int descriptor);

/// The same of one byte, at any offset: a file may be empty and have many locks.
int vp_lock_byte(int descriptor, off_t offset);
int vp_is_byte_locked(int descriptor, off_t offset);

/// When the file was made, by the file system's own account; both zero where it keeps none. 0 if it could.
int vp_birth(const char *path, int follow_links, int64_t *seconds, uint32_t *nanoseconds);

/// Gives an open file the extended attributes of another, access control lists among them, and takes away those that the
/// other has not. 0 if it could; also where the file system has none.
int vp_copy_attributes(const char *path, int to);
