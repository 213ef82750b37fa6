"""How the Lab is laid out. Its classes say what fits and what is shown."""

from __future__ import annotations

STYLE = """
LabPage {
    layout: vertical;
    .panel {
        border: round $text-disabled;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
    }
    &.-ascii .panel { border: ascii $text-disabled; }
    LiveTable:focus, Reader:focus, PromptArea:focus {
        border: round $accent;
        border-title-color: $foreground;
    }
    &.-ascii LiveTable:focus, &.-ascii Reader:focus, &.-ascii PromptArea:focus { border: ascii $accent; }
    #fields { height: 1; padding: 0 1; }
    #fields Painted { width: 7; height: 1; }
    #model { width: 26; }
    #tenant { width: 14; }
    #system { width: 1fr; }
    #fields LineInput:focus { text-style: underline; }
    PromptArea { height: 6; padding: 0 1; background: $background; }
    &.-tall PromptArea { height: 9; }
    &.-huge PromptArea { height: 16; }
    #body { height: 1fr; }
    #way { width: 6fr; }
    #step { width: 5fr; height: 1fr; padding: 0 1; }
    &.-narrow #step { display: none; }
    &.-narrow.-open #way { display: none; }
    &.-narrow.-open #step { display: block; width: 1fr; }
    &.-narrow #model { width: 22; }
    &.-narrow #tenant { width: 10; }
}
"""
