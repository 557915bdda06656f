"""The lines for ``gradio_client`` on the page of each tab run as they stand."""

import re

from tests.conftest import ROOT
from ui import TABS


def test_the_lines_for_each_tab_run_and_are_three(app_url, capsys):
    for tab in TABS:
        page = (ROOT / "ui" / "tabs" / tab.slug / "README.md").read_text("utf-8")
        [code] = re.findall(r"```python\n(.*?)```", page, re.S)
        assert len(code.splitlines()) == 3 and f'api_name="/{tab.slug}"' in code
        exec(code.replace("http://127.0.0.1:7860/", app_url), {})
        assert len(capsys.readouterr().out.splitlines()) >= 2, tab.slug
