"""Glassbox: `python app.py` starts the playground. Flags win over environment variables (GLASSBOX_*,
GRADIO_SERVER_*)."""

import argparse
import importlib.util
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from backends.machine import cores

os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
# numpy's matrices are small here: a second core costs more than it gives
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if (CORES := cores()) < (os.cpu_count() or 1):
    os.environ.setdefault("OMP_NUM_THREADS", str(CORES))
THREADS = 256
"""Events that gradio lets run at once: those that wait in our own lanes count, too."""
ICON = Path(__file__).parent / "assets" / "favicon.svg"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line, with defaults from the environment; on Spaces the page listens on all interfaces."""
    env = os.environ.get
    parser = argparse.ArgumentParser(description="A playground of deep-learning mechanisms.")
    everywhere = "0.0.0.0" if env("SPACE_ID") else "127.0.0.1"
    add = parser.add_argument
    add("--host", default=env("GRADIO_SERVER_NAME") or everywhere, help="address to listen on")
    add("--port", type=int, default=int(env("GRADIO_SERVER_PORT") or 7860), help="0 picks a free port")
    shared = env("GLASSBOX_SHARE") == "1"
    add("--share", action="store_true", default=shared, help="a public link through Gradio's servers")
    add("--inbrowser", action="store_true", help="open the page in the browser")
    add("--device", default=env("GLASSBOX_DEVICE") or "auto", help="auto, cpu, cuda, cuda:0 or mps")
    add("--models", default=env("GLASSBOX_MODELS") or "", metavar="DIR", help="language models to offer: folders, GGUF")
    add("--auth", default=env("GLASSBOX_AUTH"), metavar="USER:PASSWORD", help="ask for a name and a password")
    add("--max-upload", type=int, default=int(env("GLASSBOX_MAX_UPLOAD") or 20), metavar="MB", help="largest upload")
    add("--long-runs", type=int, default=env("GLASSBOX_LONG_RUNS"), help="long runs at once (default: by the device)")
    add("--events", type=int, default=int(env("GLASSBOX_EVENTS") or 8),
        help="requests that a visitor may have under way")
    add("--root-path", default=env("GLASSBOX_ROOT_PATH") or "", metavar="PATH",
        help="where a proxy serves the page, such as /glassbox")
    add("--log", default=env("GLASSBOX_LOG") or "", metavar="FILE", help="a log that is rotated (default: stderr)")
    add("--mcp", action="store_true", default=env("GLASSBOX_MCP") == "1", help="offer every tab as a tool (MCP)")
    args = parser.parse_args(given)
    if args.mcp and not importlib.util.find_spec("mcp"):
        parser.error("--mcp needs a package more: pip install -e '.[mcp]'")
    if args.auth and not all(args.auth.partition(":")[::2]):
        parser.error("--auth needs USER:PASSWORD")
    os.environ["GLASSBOX_DEVICE"], os.environ["GLASSBOX_MODELS"] = args.device, args.models
    if not args.share and args.host in ("127.0.0.1", "localhost"):
        os.environ.setdefault("GLASSBOX_HUB", str(hub_cache()))
    return args


def hub_cache() -> Path:
    """The Hugging Face cache of this user, whose models are offered where nobody else can reach the page."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")


def launch(page: Any, args: argparse.Namespace, **more: Any) -> tuple[Any, str, str]:
    """Serve ``page``; returns Gradio's (app, local url, share url)."""
    from gradio import networking

    from ui.core import home
    from ui.core.gate import before
    from ui.core.shell import files, look, state_of_machine

    networking.url_ok = patient
    page.queue(max_size=None, api_open=False)
    fixed = {"run_history": False, "show_error": False, "state_session_capacity": 200, "footer_links": []}
    absent = {"ssr_mode": False, "pwa": False, "enable_monitoring": False}
    chosen = {
        "server_name": f"[{args.host}]" if ":" in args.host else args.host,
        "server_port": args.port or None,
        "share": args.share,
        "inbrowser": args.inbrowser,
        "auth": tuple(args.auth.split(":", 1)) if args.auth else None,
        "max_file_size": f"{args.max_upload}mb",
        "root_path": args.root_path or None,
        "mcp_server": args.mcp,
        "favicon_path": str(ICON),
        "max_threads": THREADS,
        "app_kwargs": before(page, files() | home.files(page.tabs), state_of_machine),
    }
    return page.launch(**(fixed | absent | chosen | look() | more))


def patient(url: str) -> bool:
    """Whether the page answers. Gradio asks once and waits three seconds, in which a busy machine may not get there."""
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{url}healthz", timeout=10).close()
            return True
        except OSError:
            time.sleep(0.5)
    return False


def main() -> None:
    """Parse, build, serve."""
    args = arguments()
    from ui import TABS
    from ui.core import start

    try:
        start.log_to(args.log)
        start.uploads()
        from ui.core.frame import Frame
        from ui.core.shell import build

        launch(build(TABS, Frame(long_runs=args.long_runs, events=args.events)), args)
    except OSError as error:
        taken = f"port {args.port} is taken, choose another one with --port."
        sys.exit(f"Glassbox cannot start: {taken if 'empty port' in str(error) else error}")


if __name__ == "__main__":
    main()
