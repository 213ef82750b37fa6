"""How the page of entries is laid out. Its classes say what fits and what is shown."""

from __future__ import annotations

STYLE = """
EntriesPage {
    layout: vertical;
    .panel {
        border: round $text-disabled;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
    }
    &.-ascii .panel { border: ascii $text-disabled; }
    LiveTable:focus, Reader:focus { border: round $accent; border-title-color: $foreground; }
    &.-ascii LiveTable:focus, &.-ascii Reader:focus { border: ascii $accent; }
    #search { height: 3; padding: 0 1; }
    #search:focus-within { border: round $accent; border-title-color: $foreground; }
    &.-ascii #search:focus-within { border: ascii $accent; }
    #query-mark { width: 2; height: 1; }
    #query { width: 1fr; }
    #count { width: 44; height: 1; }
    #filter-line { display: none; height: 1; padding: 0 2; }
    &.-filtered #filter-line { display: block; }
    #body { height: 1fr; }
    #list { width: 7fr; }
    #entry { width: 5fr; }
    #note { height: 1; padding: 0 2; }
    #nothing { display: none; height: 1fr; padding: 1 2; }
    &.-narrow #count { width: 34; }
    &.-narrow #entry { display: none; }
    &.-narrow.-open #search, &.-narrow.-open #filter-line { display: none; }
    &.-narrow.-open #list, &.-narrow.-open #note { display: none; }
    &.-narrow.-open #entry { display: block; }
    &.-nothing #body, &.-nothing #search, &.-nothing #filter-line, &.-nothing #note { display: none; }
    &.-nothing #nothing { display: block; }
}
"""
