"""One room a tab: a folder whose ``TAB`` says what the tab is."""
