"""The look of cards, beside that of the replies in them."""

from __future__ import annotations

from nbconvo.markdown import STYLE as _REPLY_STYLE

__all__ = ["STYLE"]

STYLE = _REPLY_STYLE + "".join(
    line.strip()
    for line in """
.nbconvo-cards{display:grid;grid-template-columns:minmax(0,1fr);gap:1.6em 2.4em;max-width:52em;
padding:.3em 0}
.nbconvo-beside{grid-template-columns:repeat(auto-fit,minmax(min(280px,100%),1fr));max-width:none}
.nbconvo-card{min-width:0;overflow:clip;overflow-clip-margin:6px}
.nbconvo-own{padding:.8em 1em;border-radius:10px;background:var(--nbconvo-fill)}
.nbconvo .nbconvo-title{margin:0;font-weight:600}
.nbconvo .nbconvo-who{margin:0 0 .5em;line-height:1.5}
.nbconvo-who strong{font-weight:600}
.nbconvo-who strong::before{content:attr(data-initial);display:inline-block;width:1.6em;
margin-right:.6em;border-radius:50%;background:var(--nbconvo-hue,#666);color:#fff;
font-size:.8em;line-height:1.6em;text-align:center;vertical-align:.06em}
.nbconvo code{-webkit-box-decoration-break:clone;box-decoration-break:clone}
.nbconvo td code{white-space:nowrap}
.nbconvo .nbconvo-body>:first-child{margin-top:0}
.nbconvo .nbconvo-body>:last-child{margin-bottom:0}
.nbconvo .nbconvo-note{margin:.6em 0 0;color:var(--nbconvo-soft);font-style:italic}
.nbconvo.nbconvo .nbconvo-error
{color:var(--jp-error-color1,color-mix(in srgb,#d6423d 75%,currentColor));font-style:normal}
.nbconvo .nbconvo-foot{margin:.7em 0 0;color:var(--nbconvo-soft);
font-variant-numeric:tabular-nums;line-height:1.4}
.nbconvo-foot small{font-size:.82em}
.nbconvo-why{margin:0 0 .8em;color:var(--nbconvo-soft);font-size:.92em}
.nbconvo-why summary{cursor:pointer}
.nbconvo-why summary{margin-bottom:.3em}
.nbconvo .nbconvo-why p{margin:0;padding:.25em 0 .25em 1em;
border-left:1px solid var(--nbconvo-line)}
.nbconvo .nbconvo-why .nbconvo-call{padding:.45em 0 .2em 1em;overflow-wrap:anywhere}
.nbconvo-call code,.nbconvo .nbconvo-json pre{white-space:pre-wrap}
.nbconvo .nbconvo-why pre.nbconvo-result{margin:0;padding:0 0 .25em 1.2em;border:0;border-radius:0;
border-left:1px solid var(--nbconvo-line);background:none;font-size:.92em;max-height:14em;
overflow:auto;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere}
.nbconvo .nbconvo-enclosed{margin:.6em 0 0;display:flex;flex-wrap:wrap;align-items:flex-start;
gap:.5em}
.nbconvo .nbconvo-enclosed img{max-width:min(160px,100%);max-height:120px;height:auto;
border-radius:6px}
.nbconvo-busy .nbconvo-body>:is(p,h1,h2,h3,h4,h5,h6):last-child::after,
.nbconvo-busy .nbconvo-body>:is(ul,ol):last-child>li:last-child::after,
.nbconvo-busy .nbconvo-body>.highlight:last-child code::after
{content:"";display:inline-block;width:.45em;height:1em;margin-left:.2em;border-radius:1px;
background:currentColor;opacity:.45;vertical-align:-.12em;
animation:nbconvo-pulse 1.6s ease-in-out infinite}
@keyframes nbconvo-pulse{50%{opacity:.1}}
@media (prefers-reduced-motion:reduce){.nbconvo-busy *::after{animation:none!important}}
""".splitlines()
)
