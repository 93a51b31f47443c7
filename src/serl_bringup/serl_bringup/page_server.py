"""The viewer's page, served for browsers of this machine by a process of its own."""

import http.client
import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from serl_bringup.processes import NodeProcess
from serl_learner.config import ConfigError

HOST = "127.0.0.1"
DATA_PORT, PAGE_PORT = 9876, 9090
MEMORY = "512MB"  # of what a page that is opened late is shown
START_S = 30.0  # a busy machine takes seconds
STOP_S = 2.0


class PageServer:
    """Runs from the beginning to `stop`; raises ConfigError where the page does not come."""

    def __init__(self):
        data, page = _free_port(DATA_PORT), _free_port(PAGE_PORT)
        options = ["--serve-web", "--bind", HOST, "--server-memory-limit", MEMORY, "--newest-first"]
        ports = ["--port", str(data), "--web-viewer-port", str(page)]
        self._folder = TemporaryDirectory(prefix="serl_view_")
        log = Path(self._folder.name, "page.log")
        self._process = NodeProcess("viewer", "serl_bringup.view_page", options + ports, log)
        self.data = f"rerun+http://{HOST}:{data}/proxy"  # where it takes what is to be shown
        self.page = f"http://{HOST}:{page}/?url={self.data.replace('+', '%2B')}"
        try:
            self._wait(page)
        except BaseException:
            self.stop()
            raise

    def _wait(self, port: int) -> None:
        """Until it is there: who connects to a port that is somebody else's hangs at the end."""
        deadline = time.monotonic() + START_S
        while not _is_page(port):
            ended = self._process.exit_code() is not None
            if ended or time.monotonic() > deadline:
                what = "has ended" if ended else f"does not answer within {START_S:.0f} s"
                last = self._process.last_line()
                raise ConfigError(f"--view: the page's server {what}: {last}")
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.stop(timeout_s=STOP_S)
        self._folder.cleanup()


def _free_port(wanted: int) -> int:
    """The one that is wanted, which a tunnel may lead to, or where that is taken another one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just closed
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _is_page(port: int) -> bool:
    """Whether it answers with the viewer's page, and nobody else does."""
    asked = http.client.HTTPConnection(HOST, port, timeout=1.0)  # heeds no proxy
    try:
        asked.request("GET", "/")
        return b"rerun" in asked.getresponse().read().lower()
    except (OSError, http.client.HTTPException):  # nobody there, or who speaks no HTTP
        return False
    finally:
        asked.close()
