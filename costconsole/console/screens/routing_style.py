"""How the Routing page is laid out; its classes say which view is shown."""

from __future__ import annotations

STYLE = """
RoutingPage {
    layout: vertical;
    .panel {
        border: round $text-disabled;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
    }
    &.-ascii .panel { border: ascii $text-disabled; }
    LiveTable:focus, Reader:focus { border: round $accent; border-title-color: $foreground; }
    &.-ascii LiveTable:focus, &.-ascii Reader:focus { border: ascii $accent; }
    #head { height: 2; padding: 0 1; }
    #tables { height: 1fr; layout: vertical; }
    #routes, #models { height: 1fr; }
    #detail, #routers, #whatif { display: none; height: 1fr; }
    #detail { padding: 0 1; }
    &.-detail #tables, &.-routers #tables, &.-whatif #tables { display: none; }
    &.-detail #detail { display: block; }
    &.-routers #routers, &.-whatif #whatif { display: block; }
    #phrase-line { height: 3; padding: 0 1; layout: horizontal; }
    #phrase-line:focus-within { border: round $accent; border-title-color: $foreground; }
    &.-ascii #phrase-line:focus-within { border: ascii $accent; }
    #phrase-mark { width: 2; height: 1; }
    #phrase { width: 1fr; }
    #router-list { height: 1fr; }
    #router-note { height: 3; padding: 0 2; }
    #asked { height: 2; padding: 0 1; }
    #outcome { height: 1fr; padding: 0 1; }
}
"""
