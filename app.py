"""Glassbox: `python app.py` starts the playground. Flags win over environment variables (GLASSBOX_*, GRADIO_SERVER_*)."""

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")           # numpy's matrices are small here: a second core costs more than it gives
ICON = Path(__file__).parent / "assets" / "favicon.svg"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line, with defaults from the environment; on Spaces the page listens on all interfaces."""
    env = os.environ.get
    parser = argparse.ArgumentParser(description="A playground of deep-learning mechanisms.")
    everywhere = "0.0.0.0" if env("SPACE_ID") else "127.0.0.1"
    parser.add_argument("--host", default=env("GRADIO_SERVER_NAME") or everywhere, help="address to listen on")
    parser.add_argument("--port", type=int, default=int(env("GRADIO_SERVER_PORT") or 7860), help="0 picks a free port")
    parser.add_argument("--share", action="store_true", default=env("GLASSBOX_SHARE") == "1", help="a public link through Gradio's servers")
    parser.add_argument("--inbrowser", action="store_true", help="open the page in the browser")
    parser.add_argument("--device", default=env("GLASSBOX_DEVICE") or "auto", help="auto, cpu, cuda, cuda:0 or mps")
    parser.add_argument("--auth", default=env("GLASSBOX_AUTH"), metavar="USER:PASSWORD", help="ask for a name and a password")
    parser.add_argument("--max-upload", type=int, default=int(env("GLASSBOX_MAX_UPLOAD") or 20), metavar="MB", help="largest upload")
    args = parser.parse_args(given)
    if args.auth and not all(args.auth.partition(":")[::2]):
        parser.error("--auth needs USER:PASSWORD")
    os.environ["GLASSBOX_DEVICE"] = args.device
    return args


def launch(page: Any, args: argparse.Namespace, **more: Any) -> tuple[Any, str, str]:
    """Serve ``page``; returns Gradio's (app, local url, share url)."""
    from ui.shell import look

    page.queue(max_size=64, api_open=False)
    fixed = {"run_history": False, "show_error": False, "state_session_capacity": 200, "footer_links": []}
    absent = {"mcp_server": False, "ssr_mode": False, "pwa": False, "enable_monitoring": False}
    chosen = {
        "server_name": args.host,
        "server_port": args.port or None,
        "share": args.share,
        "inbrowser": args.inbrowser,
        "auth": tuple(args.auth.split(":", 1)) if args.auth else None,
        "max_file_size": f"{args.max_upload}mb",
        "favicon_path": str(ICON),
    }
    return page.launch(**(fixed | absent | chosen | look() | more))


def main() -> None:
    """Parse, build, serve."""
    args = arguments()
    from ui import TABS
    from ui.shell import build

    launch(build(TABS), args)


if __name__ == "__main__":
    main()
