"""Locks on open files, held until the file is closed or its process dies, however it dies."""

from __future__ import annotations

import errno
import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Some network and user-space file systems know no locks, or none on what is opened for reading
# (EBADF); a run there must not fail for that.
_NO_LOCKS = {
    errno.ENOLCK,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EINVAL,
    errno.EBADF,
}
# Windows keeps other handles from reading a locked byte, so one is taken that no file reaches soon.
_FAR_BYTE = 2**31 - 2


def lock(handle: int) -> bool:
    """Lock an open file without waiting.

    Args:
        handle: Its file descriptor; the lock ends when it is closed.

    Returns:
        False if the file system knows no locks, so that nothing keeps others away.

    Raises:
        BlockingIOError: If another open file, of this process or of another, holds the lock.
        OSError: If the lock fails for another reason.
    """
    try:
        if sys.platform == "win32":
            _lock_far_byte(handle)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


if sys.platform == "win32":

    def _lock_far_byte(handle: int) -> None:
        import os

        place = os.lseek(handle, 0, os.SEEK_CUR)
        try:
            os.lseek(handle, _FAR_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(errno.EAGAIN, "locked by another process") from error
        finally:
            os.lseek(handle, place, os.SEEK_SET)
