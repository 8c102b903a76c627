"""The look of a reply: JupyterLab's variables, with fallbacks that hold on light and dark.

The fallbacks don't ask for the system's theme, which need not be the page's: what is muted
mixes the colour of the text with nothing, and a colour lies in the middle, with a contrast
near 4 to white as well as to black, and mixes with that of the text.
"""

from __future__ import annotations

__all__ = ["CONTAINER", "STYLE"]

# MathJax (3 and later; 2) skips all in here but what has a "process" class.
CONTAINER = "nbconvo mathjax_ignore tex2jax_ignore"

# Two classes where JupyterLab's own rule for outputs has two.
STYLE = "".join(
    line.strip()
    for line in """
.nbconvo{
--nbconvo-soft:var(--jp-content-font-color2,color-mix(in srgb,currentColor 66%,transparent));
--nbconvo-line:color-mix(in srgb,currentColor 18%,transparent);
--nbconvo-fill:color-mix(in srgb,currentColor 5%,transparent);
line-height:1.6;overflow-wrap:anywhere}
.nbconvo p,.nbconvo ul,.nbconvo ol,.nbconvo blockquote{margin:0 0 .8em}
.nbconvo ul,.nbconvo ol{padding-left:1.6em}
.nbconvo li>ul,.nbconvo li>ol,.nbconvo li>p{margin:.2em 0}
.nbconvo h1,.nbconvo h2,.nbconvo h3,.nbconvo h4,.nbconvo h5,.nbconvo h6
{margin:1.2em 0 .4em;font-size:1em;font-weight:600;line-height:1.3}
.nbconvo h1{font-size:1.4em}.nbconvo h2{font-size:1.22em}.nbconvo h3{font-size:1.08em}
.nbconvo hr{margin:1.4em 0;border:0;border-top:1px solid var(--nbconvo-line)}
.nbconvo a{color:var(--jp-content-link-color,color-mix(in srgb,#2678d5 75%,currentColor));}
.nbconvo blockquote{padding:0 0 0 1em;border-left:3px solid var(--nbconvo-line);
color:var(--nbconvo-soft)}
.nbconvo code{font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:.92em}
.nbconvo.nbconvo :not(pre)>code{padding:.1em .35em;border-radius:4px;background:var(--nbconvo-fill)}
.nbconvo .highlight{margin:0 0 .8em;border-radius:6px;background:var(--nbconvo-fill)}
.nbconvo .highlight pre{margin:0;padding:.7em 1em;overflow-x:auto;background:none;
white-space:pre;line-height:1.5}
.nbconvo .highlight code{background:none;white-space:inherit}
.nbconvo .nbconvo-table{margin:0 0 .8em;overflow-x:auto}
.nbconvo .nbconvo-table table{margin:0;border-collapse:collapse;table-layout:auto;
font-size:.95em;font-variant-numeric:tabular-nums}
.nbconvo .nbconvo-table tbody tr{background:none}
.nbconvo .nbconvo-table td,.nbconvo .nbconvo-table th{padding:.35em 1.2em .35em 0;
border-bottom:1px solid var(--nbconvo-line);text-align:left;vertical-align:top}
.nbconvo .nbconvo-table th{border-bottom-width:2px;font-weight:600}
.nbconvo .nbconvo-table [align=right]{text-align:right}
.nbconvo .nbconvo-table [align=center]{text-align:center}
.nbconvo .highlight [class^=k],.nbconvo .highlight .ow
{color:var(--jp-mirror-editor-keyword-color,color-mix(in srgb,#9d57ce 75%,currentColor))}
.nbconvo .highlight [class^=s]
{color:var(--jp-mirror-editor-string-color,color-mix(in srgb,#c85240 75%,currentColor))}
.nbconvo .highlight [class^=m]
{color:var(--jp-mirror-editor-number-color,color-mix(in srgb,#228755 75%,currentColor))}
.nbconvo .highlight [class^=c]
{color:var(--jp-mirror-editor-comment-color,color-mix(in srgb,#687b84 75%,currentColor));
font-style:italic}
.nbconvo .highlight :is(.nf,.nc,.fm,.nt,.na)
{color:var(--jp-mirror-editor-def-color,color-mix(in srgb,#2c78d0 75%,currentColor))}
.nbconvo .highlight :is(.nb,.bp,.nd)
{color:var(--jp-mirror-editor-builtin-color,color-mix(in srgb,#23848c 75%,currentColor))}
.nbconvo .highlight :is(.gd,.gr)
{color:var(--jp-error-color1,color-mix(in srgb,#d6423d 75%,currentColor))}
.nbconvo .highlight .gi
{color:var(--jp-mirror-editor-number-color,color-mix(in srgb,#228755 75%,currentColor))}
""".splitlines()
)
