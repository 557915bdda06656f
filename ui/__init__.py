"""The page: the only place where gradio is imported.

``TABS`` lists the tabs in display order. Adding a tab is one new folder and one line here.
"""

from ui.core.tab import Tab
from ui.tabs.attention import TAB as ATTENTION
from ui.tabs.deformable import TAB as DEFORMABLE
from ui.tabs.memory import TAB as MEMORY
from ui.tabs.moe import TAB as MOE
from ui.tabs.rope import TAB as ROPE
from ui.tabs.scale import TAB as SCALE
from ui.tabs.segment import TAB as SEGMENT
from ui.tabs.swin import TAB as SWIN

TABS: tuple[Tab, ...] = (SEGMENT, SWIN, DEFORMABLE, ATTENTION, MOE, ROPE, MEMORY, SCALE)
