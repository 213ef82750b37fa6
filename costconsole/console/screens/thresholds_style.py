"""How the page of thresholds is laid out. Its classes say what fits and what is shown."""

from __future__ import annotations

STYLE = """
ThresholdsPage {
    layout: vertical;
    .panel {
        border: round $text-disabled;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
    }
    &.-ascii .panel { border: ascii $text-disabled; }
    .panel:focus { border: round $accent; border-title-color: $foreground; }
    &.-ascii .panel:focus { border: ascii $accent; }
    #charts { height: 11; }
    #middle { height: 12; }
    #bottom { height: 1fr; }
    #figures { width: 1fr; height: 1fr; }
    #examples { width: 1fr; height: 1fr; }
    #scopes { width: 1fr; }
    #beside { width: 1fr; height: 1fr; }
    &.-tall #charts { height: 2fr; }
    &.-tall #bottom { height: 2fr; }
    &.-narrow #charts { height: 8; }
    &.-narrow #middle { height: 1fr; }
    &.-narrow #bottom { height: 1fr; }
    &.-narrow.-figures #bottom, &.-narrow.-examples #bottom { display: none; }
    &.-narrow.-scopes #middle, &.-narrow.-beside #middle { display: none; }
    &.-narrow.-figures #examples, &.-narrow.-examples #figures { display: none; }
    &.-narrow.-scopes #beside, &.-narrow.-beside #scopes { display: none; }
    #nothing { display: none; height: 1fr; padding: 1 2; }
    &.-nothing #charts, &.-nothing #middle, &.-nothing #bottom { display: none; }
    &.-nothing #nothing { display: block; }
}
"""
