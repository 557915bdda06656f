"""The README's lines for ``gradio_client`` run as they stand."""

import re

from tests.conftest import ROOT
from ui import TABS


def test_the_lines_for_each_tab_run_and_are_three(app_url, capsys):
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    start, tabs = code[0].replace("http://127.0.0.1:7860/", app_url), code[1].strip().split("\n\n")
    assert len(start.splitlines()) == 3 and all(len(tab.splitlines()) == 3 for tab in tabs)
    assert [re.search(r'api_name="/(\w+)"', tab)[1] for tab in tabs] == [tab.slug for tab in TABS]
    exec("\n".join([start, *tabs]), {})
    assert len(capsys.readouterr().out.splitlines()) >= 2 * len(TABS)
