"""One bash session for the blocks of a document: variables, functions and folder stay from block to block."""

import fcntl
import os
import signal
import subprocess
import tempfile
import threading

# Blocks come on descriptor 8, each ended by a zero byte; descriptor 9 takes their exit codes. Neither
# reaches the commands. A block that may not fail runs under `set -e`, which ends the whole session.
LOOP = r"""
while IFS= read -r -d '' -u 8 __mode && IFS= read -r -d '' -u 8 __block; do
  set "$__mode"
  eval "$__block" 8<&- 9>&-
  __status=$?
  set +e
  echo "$__status" >&9
done
"""


def moved(descriptor):
    other = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(descriptor)
    return other


class Session:
    """`shell` is the command that starts bash, such as `chroot DIR bash`; descriptors must pass through it."""

    def __init__(self, environment, folder, shell=("bash",)):
        self.output = tempfile.TemporaryFile()
        blocks, self._blocks = os.pipe()
        self._codes, codes = os.pipe()
        # Away from 8 and 9, which may be their numbers if the caller has other files open.
        blocks, codes = moved(blocks), moved(codes)
        self.process = subprocess.Popen(
            # The numbers 8 and 9 are given by the first shell: pass_fds keeps numbers as they are.
            ["bash", "-c", f'exec 8<&{blocks} 9>&{codes} {blocks}<&- {codes}>&-; exec "$@"', "bash",
             *shell, "--noprofile", "--norc", "-c", LOOP],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            pass_fds=(blocks, codes),
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        os.close(blocks)
        os.close(codes)
        self._at = 0

    def run(self, text, may_fail=False, limit=1800):
        """(exit code, what was printed). Without `may_fail` a failing command ends the session."""
        words = "\0".join(["+e" if may_fail else "-e", text, ""])
        timer = threading.Timer(limit, self.kill)
        timer.start()
        try:
            os.write(self._blocks, words.encode())
            code = os.read(self._codes, 64)
        except BrokenPipeError:
            code = b""
        finally:
            timer.cancel()
        status = int(code) if code else self.process.wait()
        # Commands share the file's position with this process, so reading must leave it at the end.
        size = os.fstat(self.output.fileno()).st_size
        printed = os.pread(self.output.fileno(), size - self._at, self._at)
        self._at = size
        return status, printed.decode(errors="replace")

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self):
        """Ends the session; what it has started in the background is ended too."""
        os.close(self._blocks)
        os.close(self._codes)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        self.process.wait()
        self.output.close()
