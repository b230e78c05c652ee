"""The page's clothes: layout and colours of the contact sheet as templates; `report` fills them in.

No script, no font, no address outside the file: the page must open from disk, years later, without a network.
"""

# ruff: noqa: E501 - style sheets are read rule by rule

from string import Template
from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--paper:#f6f5f2;--card:#fff;--ink:#1c1b19;--soft:#5f5c56;--line:#e4e1da;--accent:#0f766e;
--good:#14713f;--bad:#b3261e;--bad-paper:#fdf0ee;--hold:#835a06;--check-a:#fff;--check-b:#e4e4e2;--well:#f1efeb;
--shadow:0 1px 2px rgb(30 25 15/.05),0 8px 28px rgb(30 25 15/.06)}
@media(prefers-color-scheme:dark){:root{--paper:#131416;--card:#1c1e21;--ink:#f0eeea;--soft:#a9a59d;--line:#303338;
--accent:#5fd0c1;--good:#6fd39b;--bad:#ff9a90;--bad-paper:#2c1b1a;--hold:#eec06a;--check-a:#3a3d41;--check-b:#2b2d31;
--well:#16181a;--shadow:0 1px 2px rgb(0 0 0/.4)}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}*{transition:none!important}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main,header.top,footer{max-width:1280px;margin:0 auto;padding:0 clamp(16px,3vw,40px)}
a{color:inherit}
a:focus-visible,summary:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:10px}
.skip{position:absolute;left:-999px}.skip:focus{left:16px;top:12px;background:var(--card);padding:8px 14px;z-index:9}
header.top{padding-top:clamp(28px,5vw,60px);padding-bottom:8px}
.brand{display:flex;align-items:center;gap:10px;font-weight:650;letter-spacing:.01em;color:var(--accent);margin:0 0 10px}
.brand i{width:22px;height:22px;border-radius:6px;background:conic-gradient(var(--accent) 25%,transparent 0 50%,var(--accent) 0 75%,
transparent 0);border:2px solid var(--accent)}
h1{font-size:clamp(1.8rem,4.6vw,3.1rem);line-height:1.08;letter-spacing:-.025em;margin:0 0 12px;font-weight:720;text-wrap:balance}
.lead{color:var(--soft);max-width:62ch;margin:0 0 26px;font-size:1.06rem}
.tiles{display:grid;grid-template-columns:repeat(6,1fr);margin:0;background:var(--card);border:1px solid var(--line);
border-radius:16px;box-shadow:var(--shadow);overflow:hidden}
.tiles div{padding:18px 20px;border-left:1px solid var(--line);margin-left:-1px}
.tiles dt{color:var(--soft);font-size:.84rem}
.tiles dd{margin:2px 0 0;font-size:1.62rem;font-weight:680;letter-spacing:-.02em;font-variant-numeric:tabular-nums;line-height:1.25}
.tiles small{display:block;font-size:.8rem;font-weight:400;letter-spacing:0;color:var(--soft)}
.bar{height:6px;border-radius:3px;background:var(--line);margin-top:9px;overflow:hidden}
.tiles .bar{display:block}
.bar b{display:block;height:100%;background:var(--good);border-radius:3px}
.note{border-left:4px solid var(--accent);background:var(--card);padding:12px 18px;border-radius:0 12px 12px 0;margin:18px 0 0}
h2{font-size:1.25rem;letter-spacing:-.01em;margin:44px 0 14px}
h2 span{color:var(--soft);font-weight:400}
.failed{list-style:none;margin:0;padding:0;display:grid;gap:10px}
.failed li{background:var(--bad-paper);border:1px solid color-mix(in srgb,var(--bad) 30%,transparent);border-radius:14px;
padding:14px 18px;display:grid;grid-template-columns:minmax(0,1fr) minmax(0,2fr);gap:4px 20px;align-items:baseline}
.failed a{font-weight:650;color:var(--bad);overflow-wrap:anywhere}
.failed p{margin:0;overflow-wrap:anywhere}
article{background:var(--card);border:1px solid var(--line);border-radius:18px;box-shadow:var(--shadow);margin:0 0 20px;
padding:18px;scroll-margin-top:16px;content-visibility:auto;contain-intrinsic-size:auto 380px}
article:target{outline:3px solid var(--accent)}
.head{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 14px;margin:0 2px 14px}
.head h3{margin:0;font-size:1.08rem;font-weight:660;letter-spacing:-.01em;overflow-wrap:anywhere}
.sku{font:.82rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--soft);overflow-wrap:anywhere}
.cost{margin-left:auto;color:var(--soft);font-size:.88rem;font-variant-numeric:tabular-nums}
.state{font-size:.8rem;font-weight:620;padding:1px 10px;border-radius:99px;border:1px solid currentColor}
.completed .state{color:var(--good)}.failed-sku .state{color:var(--bad)}.superseded .state{color:var(--hold)}
.why{margin:-4px 2px 14px;color:var(--bad);overflow-wrap:anywhere}.superseded .why{color:var(--hold)}
.strip{display:grid;grid-template-columns:repeat(4,minmax(0,1fr)) minmax(0,1fr);gap:14px}
figure{margin:0;min-width:0}
.frame{display:grid;place-items:center;aspect-ratio:var(--shape,1);border-radius:12px;background:var(--well);overflow:hidden;position:relative;
border:1px solid var(--line);text-decoration:none}
.frame img{position:absolute;inset:0;width:100%;height:100%;object-fit:contain;display:block;transition:transform .25s}
.frame:hover img{transform:scale(1.035)}
.clear{background:repeating-conic-gradient(var(--check-b) 0 25%,var(--check-a) 0 50%) 0 0/22px 22px}
.badge{position:absolute;right:8px;top:8px;background:rgb(20 20 20/.78);color:#fff;font-size:.78rem;font-weight:620;padding:1px 8px;
border-radius:99px}
.void{color:var(--soft);font-size:.86rem;padding:14px;text-align:center;border-style:dashed}
figcaption{font-size:.84rem;color:var(--soft);padding:8px 2px 0;line-height:1.42;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
figcaption strong{color:var(--ink);font-weight:640;font-size:.92rem;display:block}
.thumbs{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:6px;align-content:start}
.failed-sku .frame{aspect-ratio:2}
.thumbs .frame{border-radius:8px}
details{margin-top:8px;font-size:.84rem}
summary{cursor:pointer;color:var(--accent);font-weight:600}
details ul{list-style:none;margin:6px 0 0;padding:0;color:var(--soft);font-variant-numeric:tabular-nums}
details li{padding:2px 0;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:.88rem;padding-top:20px;padding-bottom:48px}
@media(max-width:1000px){.failed-sku figure:has(.void){display:none}.tiles{grid-template-columns:repeat(3,1fr)}.tiles div{border-top:1px solid var(--line);margin-top:-1px}
.strip{grid-template-columns:repeat(2,minmax(0,1fr))}.strip .small{grid-column:1/-1}
.thumbs{grid-template-columns:repeat(4,minmax(0,1fr))}}
@media(max-width:560px){.tiles{grid-template-columns:repeat(2,1fr)}.tiles div{padding:14px 16px}.tiles dd{font-size:1.36rem}
article{padding:14px;border-radius:16px}.strip{gap:12px 10px}.cost{margin-left:0;flex-basis:100%}.failed li{grid-template-columns:1fr}}
@media print{body{background:#fff}article{break-inside:avoid;box-shadow:none;content-visibility:visible}}
"""

PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>$title</title>
<style>$style</style>
</head>
<body>
<a class="skip" href="#skus">Skip to the pictures</a>
<header class="top">
<p class="brand"><i aria-hidden="true"></i>skustream contact sheet</p>
<h1>$headline</h1>
<p class="lead">$lead</p>
<dl class="tiles">$tiles</dl>
$note
</header>
<main>
$failed
<h2 id="skus">Pictures <span>$count</span></h2>
$rows
</main>
<footer>Small previews are inside this page. Each picture links to its full-size file beside the page.</footer>
</body>
</html>
""")

TILE: Final = Template("<div><dt>$label</dt><dd>$value$small</dd></div>")

ROW: Final = Template("""<article id="$anchor" class="$kind">
<div class="head"><h3>$title</h3><span class="sku">$sku</span><span class="state">$state</span>
<span class="cost">$cost</span></div>
$why<div class="strip" style="--shape:$shape">$figures</div>
</article>
""")

FIGURE: Final = Template("<figure>$frame<figcaption><strong>$label</strong>$facts</figcaption></figure>")

FRAME: Final = Template(
    '<a class="frame$clear" href="$href" aria-label="$alt, open the full file"><img src="$source" alt="$alt" '
    'width="$width" height="$height" loading="lazy" decoding="async">$badge</a>'
)

VOID: Final = Template('<div class="frame void">$reason</div>')

THUMBS: Final = Template(
    '<figure class="small"><div class="thumbs">$frames</div><figcaption><strong>Thumbnails</strong>$facts</figcaption>'
    "<details><summary>$summary</summary><ul>$items</ul></details></figure>"
)
