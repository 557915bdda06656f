"""The page: the only place where gradio is imported.

``TABS`` lists the tabs in display order. Adding a tab is one new file and one line here.
"""

from ui.attention import TAB as ATTENTION
from ui.deformable import TAB as DEFORMABLE
from ui.memory import TAB as MEMORY
from ui.moe import TAB as MOE
from ui.rope import TAB as ROPE
from ui.scale import TAB as SCALE
from ui.segment import TAB as SEGMENT
from ui.swin import TAB as SWIN
from ui.tab import Tab

TABS: tuple[Tab, ...] = (SEGMENT, SWIN, DEFORMABLE, ATTENTION, MOE, ROPE, MEMORY, SCALE)
