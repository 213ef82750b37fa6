"""How the Overview is laid out; its classes are explained at `OverviewPage`."""

from __future__ import annotations

STYLE = """
OverviewPage {
    layout: vertical;
    #tiles { height: 4; }
    #charts { height: 10; }
    #tables { height: 1fr; }
    #scope { display: none; height: 1; padding: 0 1; }
    &.-drilled #scope { display: block; }
    #empty, #call { display: none; }
    .panel {
        border: round $text-disabled;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
    }
    &.-ascii .panel { border: ascii $text-disabled; }
    LiveTable:focus { border: round $accent; border-title-color: $foreground; }
    &.-ascii LiveTable:focus { border: ascii $accent; }
    Tile { padding: 0 1; height: 4; }
    #waterfall { width: 1fr; height: 1fr; padding: 0 1; }
    #tables { layout: vertical; }
    #by { width: 1fr; height: 2fr; }
    #tail { width: 1fr; height: 3fr; }

    &.-wide #tables { layout: horizontal; }
    &.-wide #by, &.-wide #tail { height: 1fr; }
    &.-tall #tiles, &.-tall Tile { height: 5; }
    &.-tall #charts { height: 18; }

    &.-narrow #tiles { height: 3; }
    &.-narrow Tile { border: none; padding: 0 1 0 0; height: 3; }
    &.-narrow #tiles { padding-left: 1; }
    &.-narrow #tile-0, &.-narrow #tile-3 { width: 17fr; }
    &.-narrow #tile-1 { width: 14fr; }
    &.-narrow #tile-2 { width: 15fr; }
    &.-narrow #tile-4 { width: 16fr; padding: 0; }
    &.-narrow #charts > * { display: none; }
    &.-narrow.-chart-outcomes #outcomes { display: block; }
    &.-narrow.-chart-spend #spend { display: block; }
    &.-narrow.-chart-waterfall #waterfall { display: block; }
    &.-narrow #charts { height: 8; }
    &.-narrow.-chart-waterfall #charts { height: 10; }
    &.-narrow #tail { display: none; }
    &.-narrow #by { height: 1fr; }
    &.-stack #charts { height: 12; }
    &.-stack #tail { display: block; }

    &.-tail #tiles, &.-tail #charts, &.-tail #by, &.-tail #scope { display: none; }
    &.-tail #tail { display: block; height: 1fr; }
    &.-call #tiles, &.-call #charts, &.-call #tables, &.-call #scope { display: none; }
    &.-call #call { display: block; }
    &.-empty #tiles, &.-empty #charts, &.-empty #tables, &.-empty #scope { display: none; }
    &.-empty #empty { display: block; padding: 0 2; height: 1fr; }
    #call { padding: 0 1; height: 1fr; }
}
"""
