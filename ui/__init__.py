"""The page: the only place where gradio is imported.

``TABS`` lists the tabs in display order. Adding a tab is one new file and one line here.
"""

from ui.attention import TAB as ATTENTION
from ui.segment import TAB as SEGMENT
from ui.tab import Tab

TABS: tuple[Tab, ...] = (SEGMENT, ATTENTION)
